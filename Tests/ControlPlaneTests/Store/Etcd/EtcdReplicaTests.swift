import Testing

@testable import ControlPlane

/// What a node makes of what etcd tells it, in every order in which that may come.
@Suite struct EtcdReplicaTests {
    private let orders = InstanceKey(name: "orders", id: "i1")
    private let users = InstanceKey(name: "users", id: "i1")
    private let now = ContinuousClock.now

    private func put(_ key: InstanceKey, _ revision: Int64, lease: Int64 = 9) -> EtcdChange {
        .put(key, .test(1, name: key.name), revision: revision, lease: lease)
    }

    private func entry(_ revision: Int64, lease: Int64 = 9, name: String = "orders") -> EtcdReplica.Entry {
        EtcdReplica.Entry(name: name, revision: revision, lease: lease)
    }

    @Test func `what is old by now changes nothing`() {
        var replica = EtcdReplica()
        #expect(replica.adopt(put(orders, 5)) == .put(.test(1)))
        #expect(replica.adopt(put(orders, 5)) == nil)
        #expect(replica.adopt(put(orders, 4)) == nil)
        #expect(replica.adopt(.delete(orders, revision: 4, isDeliberate: true)) == nil)
        #expect(replica.entry(id: "i1") == entry(5))
        #expect(replica.adopt(.delete(orders, revision: 6, isDeliberate: true)) == .remove(id: "i1"))
        #expect(replica.entry(id: "i1") == nil)
    }

    @Test func `what this node has deleted does not come back with an event of before`() {
        var replica = EtcdReplica()
        replica.wrote("i1", entry(5))
        replica.deleted("i1", at: 7)
        #expect(replica.adopt(put(orders, 5)) == nil)
        #expect(replica.adopt(put(orders, 7)) == nil)
        #expect(replica.adopt(put(orders, 8)) == .put(.test(1)))
        replica.deleted("i1", at: 9)
        replica.caughtUp(to: 9)
        // Nothing older can come any more.
        #expect(replica.adopt(put(orders, 9)) == .put(.test(1)))
    }

    @Test func `an instance whose lease has ended waits for who hears it`() {
        var replica = EtcdReplica()
        _ = replica.adopt(put(orders, 5))
        #expect(replica.adopt(.delete(orders, revision: 6, isDeliberate: false)) == nil)
        #expect(replica.orphans == ["i1": EtcdReplica.Orphan(lease: 9)])
        #expect(replica.entry(id: "i1") == entry(0, lease: 0))
        let patience = Duration.milliseconds(300)
        #expect(replica.doubt(now: now, patience: patience) { _ in false }.isEmpty)
        #expect(replica.doubt(now: now + .milliseconds(299), patience: patience) { _ in false }.isEmpty)
        #expect(replica.doubt(now: now + patience, patience: patience) { _ in true }.isEmpty)
        #expect(replica.doubt(now: now + patience, patience: patience) { _ in false } == ["i1"])
        #expect(replica.adopt(put(orders, 8)) == .put(.test(1)))
        #expect(replica.orphans.isEmpty)
    }

    @Test func `an instance that moved to another service leaves no key behind`() {
        var replica = EtcdReplica()
        _ = replica.adopt(put(orders, 5))
        // In one transaction, the deletion after the writing or before.
        #expect(replica.adopt(put(users, 6)) == .put(.test(1, name: "users")))
        #expect(replica.strays == [orders: 5])
        #expect(replica.adopt(.delete(orders, revision: 6, isDeliberate: true)) == nil)
        #expect(replica.strays.isEmpty)
        // Two nodes at once, under two names: the later one counts.
        #expect(replica.adopt(put(orders, 7)) == .put(.test(1)))
        #expect(replica.strays == [users: 6])
        #expect(replica.adopt(put(users, 6)) == nil)
    }

    @Test func `nonsense over a known value makes an orphan, and over none is nothing`() {
        var replica = EtcdReplica()
        #expect(replica.adopt(.put(orders, nil, revision: 3, lease: 0)) == nil)
        #expect(replica.entry(id: "i1") == nil)
        _ = replica.adopt(put(orders, 5))
        #expect(replica.adopt(.put(orders, nil, revision: 6, lease: 0)) == nil)
        #expect(replica.orphans.keys.sorted() == ["i1"])
        // What is written again must replace the nonsense, not something newer.
        #expect(replica.entry(id: "i1") == entry(6, lease: 0))
    }

    @Test func `a lease that etcd does not know makes an orphan, unless there is another by now`() {
        var replica = EtcdReplica()
        _ = replica.adopt(put(orders, 5))
        replica.lost(lease: 8, of: "i1")
        #expect(replica.orphans.isEmpty)
        replica.lost(lease: 9, of: "i1")
        #expect(replica.orphans.keys.sorted() == ["i1"])
        #expect(replica.entry(id: "i1") == entry(5, lease: 0))
    }

    @Test func `what is missing when everything is read again has lost its lease, but for what came after`() {
        var replica = EtcdReplica()
        let others = (2...4).map { InstanceKey(name: "orders", id: "i\($0)") }
        for (key, revision) in zip([orders] + others, [Int64(5), 6, 7, 20]) {
            _ = replica.adopt(.put(key, .test(1), revision: revision, lease: 9))
        }
        let values = [put(orders, 5), .put(others[0], .test(2, weight: 1), revision: 9, lease: 9)]
        #expect(replica.replaceAll(with: values, at: 10, isWiped: false) == [.put(.test(2, weight: 1))])
        #expect(replica.orphans.keys.sorted() == ["i3"])
        #expect(replica.entry(id: "i4")?.revision == 20)
    }

    @Test func `an etcd that has lost everything gets it back, whatever the revisions were`() {
        var replica = EtcdReplica()
        let other = InstanceKey(name: "orders", id: "i2")
        _ = replica.adopt(put(orders, 500))
        _ = replica.adopt(put(other, 600))
        replica.deleted("i3", at: 700)
        // Another node has been faster with one of them.
        let actions = replica.replaceAll(with: [put(orders, 3)], at: 4, isWiped: true)
        #expect(actions == [.put(.test(1))])
        #expect(replica.orphans == ["i2": EtcdReplica.Orphan(lease: 0, isToBeRestored: true)])
        #expect(replica.doubt(now: now + .seconds(60), patience: .zero) { _ in false }.isEmpty)
        #expect(replica.adopt(.delete(orders, revision: 5, isDeliberate: true)) == .remove(id: "i1"))
    }
}
