import Testing

@testable import ControlPlane

/// What a node concludes from etcd's news, in every order in which it may arrive.
@Suite struct EtcdReplicaTests {
    private let orders = InstanceKey(name: "orders", id: "i1")
    private let users = InstanceKey(name: "users", id: "i1")
    private let now = ContinuousClock.now

    private func put(_ key: InstanceKey, _ revision: Int64, lease: Int64 = 9) -> EtcdChange {
        .put(key, .test(1, name: key.name), revision: revision, lease: lease)
    }

    private func entry(
        _ revision: Int64, lease: Int64 = 9, name: String = "orders", latest: Int64? = nil
    ) -> EtcdReplica.Entry {
        EtcdReplica.Entry(name: name, revision: revision, lease: lease, latest: latest)
    }

    private func own(_ instance: ServiceInstance?, known: EtcdReplica.Entry? = nil) -> EtcdWrite {
        EtcdWrite(id: "i1", known: known, instance: instance, lease: 9)
    }

    @Test func `what this node has written is held against what others have done since`() {
        var replica = EtcdReplica()
        // The watch was faster: first with the same write, whose lease must be taken over here, then with what came
        // after.
        _ = replica.adopt(.changes([put(orders, 5)], revision: 5))
        #expect(replica.settle(own(.test(1)), at: 5) == .put(.test(1)))
        let drained = ServiceInstance.test(1, draining: true)
        let change = EtcdChange.put(orders, drained, revision: 7, lease: 9)
        #expect(replica.adopt(.changes([change], revision: 7)) == [.put(drained)])
        #expect(replica.settle(own(.test(1)), at: 5) == nil)
        #expect(replica.settle(own(.test(1), known: entry(5)), at: 6) == nil)
        #expect(replica.entry(id: "i1") == entry(7))
        let deletion = EtcdChange.delete(orders, revision: 8, isDeliberate: true)
        #expect(replica.adopt(.changes([deletion], revision: 8)) == [.remove(id: "i1")])
        #expect(replica.settle(own(.test(1)), at: 6) == nil)
        #expect(replica.settle(own(nil, known: entry(5)), at: 8) == nil)
        #expect(replica.entry(id: "i1") == nil)
    }

    @Test func `what this node has written over without having heard of it is written again`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5)], revision: 5))
        // Its lease ended at 7, and it was written again at 9, as of 5. Somebody had changed it at 6.
        replica.lost(lease: 9, of: "i1")
        var restored = own(.test(1), known: entry(0, lease: 0, latest: 5))
        (restored.origin.asOf, restored.lease) = (5, 10)
        _ = replica.adopt(.own([EtcdKeptWrite(write: restored, revision: 9)], history: 0))
        #expect(replica.entry(id: "i1")?.revision == 9)
        let changed = ServiceInstance.test(1, weight: 7)
        let change = EtcdChange.put(orders, changed, revision: 6, lease: 9)
        #expect(replica.adopt(.changes([change], revision: 6)) == [.put(changed)])
        #expect(replica.orphans["i1"]?.isToBeRestored == true && replica.orphans["i1"]?.lease == 0)
        #expect(replica.entry(id: "i1") == entry(9, lease: 0, latest: 6))
        // What it is written over with is as new as the change.
        let again = EtcdWrite(
            id: "i1", known: replica.entry(id: "i1"), instance: changed, lease: 11, origin: StoredOrigin(asOf: 6))
        _ = replica.adopt(.own([EtcdKeptWrite(write: again, revision: 12)], history: 0))
        #expect(replica.orphans.isEmpty && replica.entry(id: "i1")?.rank == 6)
    }

    @Test func `what this node has deleted leaves also when everything is read again meanwhile`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5)], revision: 5))
        _ = replica.adopt(.everything([], revision: 9, isWiped: false))
        // As if its lease had ended: heartbeats would keep it.
        #expect(replica.orphans.keys.sorted() == ["i1"])
        #expect(replica.settle(own(nil, known: entry(5)), at: 8) == .remove(id: "i1"))
        #expect(replica.orphans.isEmpty)
        // An earlier write does not bring it back either.
        #expect(replica.settle(own(.test(1)), at: 7) == nil)
    }

    @Test func `an orphan is what this node has written last, though that is known late`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5)], revision: 5))
        _ = replica.adopt(.everything([], revision: 9, isWiped: false))
        let changed = ServiceInstance.test(1, weight: 7)
        #expect(replica.settle(own(changed, known: entry(5)), at: 8) == .put(changed))
        #expect(replica.entry(id: "i1") == entry(0, lease: 0, latest: 8))
        #expect(replica.orphans.keys.sorted() == ["i1"])
        #expect(replica.settle(own(.test(1), known: entry(5)), at: 7) == nil)
    }

    @Test func `why a key was found missing is known when the watch has come so far`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5)], revision: 5))
        #expect(replica.tell(.missing(orders, revision: 9)) == nil)
        #expect(replica.entry(id: "i1") == entry(0, lease: 0, latest: 5))
        #expect(replica.orphans.count == 1 && replica.decidableOrphans.isEmpty)
        for _ in 0..<2 { #expect(replica.doubt(now: now, patience: .zero) { _ in false }.isEmpty) }
        // Somebody has changed it before it went.
        #expect(replica.adopt(.changes([put(orders, 6)], revision: 6)) == [.put(.test(1))])
        #expect(replica.tell(.missing(orders, revision: 9)) == nil)
        #expect(replica.adopt(.changes([], revision: 9)) == [])
        #expect(replica.decidableOrphans.count == 1)
    }

    @Test func `an instance whose key was deleted by hand is not restored while it leaves`() {
        for isOvertaken in [false, true] {
            var replica = EtcdReplica()
            let instance = ServiceInstance.test(1)
            let key = InstanceKey(name: instance.name, id: instance.id)
            _ = replica.adopt(.changes([.put(key, instance, revision: 2, lease: 7)], revision: 2))
            replica.leave("i1", lease: 7)
            #expect(replica.takeLeaving() == [], "it has its key")
            _ = replica.adopt(.changes([.delete(key, revision: 3, isDeliberate: false)], revision: 3))
            #expect(replica.decidableOrphans.count == 1)
            replica.leave("i1", lease: 7)
            // Its lease is being given back, so nobody must check for it now.
            #expect(replica.decidableOrphans.isEmpty && replica.orphans.count == 1)
            if isOvertaken { _ = replica.adopt(.changes([.put(key, instance, revision: 4, lease: 8)], revision: 4)) }
            #expect(replica.takeLeaving() == (isOvertaken ? [] : [.remove(id: "i1")]))
            #expect(replica.takeLeaving() == [])
            #expect((replica.entry(id: "i1") != nil) == isOvertaken && replica.orphans.isEmpty)
        }
    }

    @Test func `results and findings of another history say nothing about this one`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 500)], revision: 500))
        _ = replica.adopt(.everything([put(orders, 3)], revision: 4, isWiped: true))
        let kept = EtcdKeptWrite(write: own(.test(1, weight: 1)), revision: 501)
        #expect(replica.adopt(.own([kept], history: 0)) == [])
        #expect(replica.adopt(.findings([put(orders, 502)], history: 0)) == [])
        #expect(replica.adopt(.own([EtcdKeptWrite(write: own(.test(1)), revision: 5)], history: 1)) == [.put(.test(1))])
    }

    @Test func `an etcd that was set back to a copy of before is as one that has lost everything`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 500)], revision: 500))
        _ = replica.adopt(.everything([put(orders, 300)], revision: 400, isWiped: false))
        #expect(replica.entry(id: "i1") == entry(300))
        #expect(replica.history == 1)
    }

    @Test func `who was taken for deleted by hand stays when something has come meanwhile`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5), .delete(orders, revision: 6, isDeliberate: false)], revision: 6))
        replica.leave("i1", lease: 9)
        var other = replica
        var wiped = replica
        #expect(replica.takeLeaving() == [.remove(id: "i1")])
        _ = other.adopt(.changes([put(orders, 7)], revision: 7))
        #expect(other.takeLeaving() == [])
        _ = wiped.adopt(.everything([], revision: 1, isWiped: true))
        #expect(wiped.takeLeaving() == [] && wiped.decidableOrphans.count == 1)
    }

    @Test func `a lease says nothing of an instance that has had another one since`() {
        var replica = EtcdReplica()
        _ = replica.adopt(
            .changes(
                [
                    put(orders, 5, lease: 7), .delete(orders, revision: 6, isDeliberate: false),
                    put(orders, 7, lease: 8), .delete(orders, revision: 8, isDeliberate: false),
                ], revision: 8))
        replica.leave("i1", lease: 7)
        #expect(replica.takeLeaving() == [] && replica.decidableOrphans.count == 1)
        replica.leave("i1", lease: 8)
        #expect(replica.takeLeaving() == [.remove(id: "i1")])
    }

    @Test func `nobody doubts who is being deregistered`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5), .delete(orders, revision: 6, isDeliberate: false)], revision: 6))
        func gone(_ delay: Duration) -> [String] {
            replica.doubt(now: now + delay, patience: .milliseconds(300)) { _ in false }
        }
        #expect(gone(.zero) == [])
        replica.beginDeparture(of: ["i1"])
        #expect(gone(.seconds(60)) == [])
        replica.endDeparture()
        // As if it had been found only now.
        #expect(gone(.seconds(61)) == [] && gone(.seconds(61) + .milliseconds(299)) == [])
        #expect(gone(.seconds(61) + .milliseconds(300)) == ["i1"])
    }

    @Test func `who was forgotten between two attempts at its deregistration is still called by its name`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5)], revision: 5))
        replica.beginDeparture(of: ["i1"])
        replica.endDeparture()
        _ = replica.adopt(.changes([.delete(orders, revision: 6, isDeliberate: true)], revision: 6))
        #expect(replica.entry(id: "i1") == nil)
        replica.beginDeparture(of: ["i1"])
        #expect(replica.departure(of: "i1") == entry(0, lease: 0))
        replica.endDeparture()
        // Deregistering another instance replaces the earlier one.
        replica.beginDeparture(of: ["i2"])
        #expect(replica.departure(of: "i1") == nil && replica.departure(of: "i2") == nil)
    }

    @Test func `who comes and goes within a group is looked for in etcd, unless it is known`() {
        let mirror = EtcdMirror()
        func known() -> [EtcdReplica.Entry?] {
            let writes = mirror.plan([.register(.test(1)), .deregister(id: "i1")]).writes
            #expect(writes.allSatisfy { $0.id == "i1" && $0.instance == nil })
            return writes.map(\.known)
        }
        #expect(known() == [entry(0, lease: 0)])
        _ = mirror.adopt([.changes([put(orders, 5)], revision: 5)], isHolding: false, now: TestClock().now)
        #expect(known() == [entry(5)])
    }

    /// The earlier content of the inbox is dropped then.
    @Test func `who leaves does so though everything is read anew before`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5), .delete(orders, revision: 6, isDeliberate: false)], revision: 6))
        replica.leave("i1", lease: 9)
        _ = replica.adopt(.everything([], revision: 9, isWiped: false))
        #expect(replica.takeLeaving() == [.remove(id: "i1")])
        #expect(replica.entry(id: "i1") == nil && replica.orphans.isEmpty)
    }

    @Test func `what is old by now changes nothing`() {
        var replica = EtcdReplica()
        #expect(replica.tell(put(orders, 5)) == .put(.test(1)))
        #expect(replica.tell(put(orders, 5)) == nil)
        #expect(replica.tell(put(orders, 4)) == nil)
        #expect(replica.tell(.delete(orders, revision: 4, isDeliberate: true)) == nil)
        #expect(replica.entry(id: "i1") == entry(5))
        #expect(replica.tell(.delete(orders, revision: 6, isDeliberate: true)) == .remove(id: "i1"))
        #expect(replica.entry(id: "i1") == nil)
    }

    @Test func `what this node has deleted does not come back with an event of before`() {
        var replica = EtcdReplica()
        #expect(replica.settle(own(.test(1)), at: 5) == .put(.test(1)))
        #expect(replica.settle(own(nil, known: entry(5)), at: 7) == .remove(id: "i1"))
        #expect(replica.tell(put(orders, 5)) == nil)
        #expect(replica.tell(put(orders, 7)) == nil)
        #expect(replica.tell(put(orders, 8)) == .put(.test(1)))
        #expect(replica.settle(own(nil, known: entry(8)), at: 9) == .remove(id: "i1"))
        // Nor when the watch has got there, and an earlier finding comes late.
        #expect(replica.adopt(.changes([], revision: 9)) == [])
        #expect(replica.tell(put(orders, 8)) == nil)
        #expect(replica.tell(put(orders, 9)) == nil)
        #expect(replica.tell(put(orders, 10)) == .put(.test(1)))
    }

    @Test func `what this node has written does not come back when it has deleted it since`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5), .delete(orders, revision: 6, isDeliberate: false)], revision: 6))
        // The orphan is written again; before that is reported, it is found and deregistered.
        let restored = EtcdKeptWrite(write: own(.test(1), known: entry(0, lease: 0, latest: 6)), revision: 7)
        #expect(replica.adopt(.findings([put(orders, 7)], history: 0)) == [.put(.test(1))])
        #expect(replica.settle(own(nil, known: entry(7)), at: 8) == .remove(id: "i1"))
        #expect(replica.adopt(.own([restored], history: 0)) == [])
        #expect(replica.entry(id: "i1") == nil)
    }

    @Test func `an instance whose lease has ended waits for who hears it`() {
        var replica = EtcdReplica()
        _ = replica.tell(put(orders, 5))
        #expect(replica.tell(.delete(orders, revision: 6, isDeliberate: false)) == nil)
        #expect(replica.orphans == ["i1": EtcdReplica.Orphan(lease: 9)])
        #expect(replica.entry(id: "i1") == entry(0, lease: 0, latest: 6))
        let patience = Duration.milliseconds(300)
        #expect(replica.doubt(now: now, patience: patience) { _ in false }.isEmpty)
        #expect(replica.doubt(now: now + .milliseconds(299), patience: patience) { _ in false }.isEmpty)
        #expect(replica.doubt(now: now + patience, patience: patience) { _ in true }.isEmpty)
        #expect(replica.doubt(now: now + patience, patience: patience) { _ in false } == ["i1"])
        #expect(replica.tell(put(orders, 8)) == .put(.test(1)))
        #expect(replica.orphans.isEmpty)
    }

    @Test func `an instance that moved to another service leaves no key behind`() {
        var replica = EtcdReplica()
        _ = replica.tell(put(orders, 5))
        // Both are in one transaction, with the deletion after or before the write.
        #expect(replica.tell(put(users, 6)) == .put(.test(1, name: "users")))
        #expect(replica.strays.mapValues(\.revision) == [orders: 5])
        #expect(replica.tell(.delete(orders, revision: 6, isDeliberate: true)) == nil)
        #expect(replica.strays.isEmpty)
        // Two nodes at once, under two names: the later one counts.
        #expect(replica.tell(put(orders, 7)) == .put(.test(1)))
        #expect(replica.strays.mapValues(\.revision) == [users: 6])
        #expect(replica.tell(put(users, 6)) == nil)
    }

    @Test func `nonsense over a known value makes an orphan, and over none is nothing`() {
        var replica = EtcdReplica()
        #expect(replica.tell(.put(orders, nil, revision: 3, lease: 0)) == nil)
        #expect(replica.entry(id: "i1") == nil)
        _ = replica.tell(put(orders, 5))
        #expect(replica.tell(.put(orders, nil, revision: 6, lease: 0)) == nil)
        #expect(replica.orphans.keys.sorted() == ["i1"])
        // The restored value must replace the malformed one, but not a newer one.
        #expect(replica.entry(id: "i1") == entry(6, lease: 0, latest: 5))
    }

    @Test func `a lease that etcd does not know makes an orphan, unless there is another by now`() {
        var replica = EtcdReplica()
        _ = replica.tell(put(orders, 5))
        replica.lost(lease: 8, of: "i1")
        #expect(replica.orphans.isEmpty)
        replica.lost(lease: 9, of: "i1")
        #expect(replica.orphans.keys.sorted() == ["i1"])
        #expect(replica.entry(id: "i1") == entry(5, lease: 0, latest: 5))
    }

    @Test func `what is missing when everything is read again has lost its lease, but for what came after`() {
        var replica = EtcdReplica()
        let others = (2...4).map { InstanceKey(name: "orders", id: "i\($0)") }
        for (key, revision) in zip([orders] + others, [Int64(5), 6, 7, 20]) {
            _ = replica.tell(.put(key, .test(1), revision: revision, lease: 9))
        }
        let values = [put(orders, 5), .put(others[0], .test(2, weight: 1), revision: 9, lease: 9)]
        let actions = replica.adopt(.everything(values, revision: 10, isWiped: false))
        #expect(actions == [.put(.test(2, weight: 1))])
        #expect(replica.orphans.keys.sorted() == ["i3"])
        #expect(replica.entry(id: "i4")?.revision == 20)
    }

    @Test func `of a snapshot's instances those go that somebody may have deregistered since`() {
        func missing(_ revision: Int64, deregisteredAt: Int64) -> EtcdReplica {
            var replica = EtcdReplica()
            replica.remember([orders, InstanceKey(name: "orders", id: "i2")], at: revision)
            let there = EtcdChange.put(orders, .test(1), revision: 5, lease: 9)
            _ = replica.adopt(.everything([there], revision: 20, isWiped: false, deregisteredAt: deregisteredAt))
            #expect(replica.entry(id: "i1") == entry(5))
            return replica
        }
        #expect(missing(10, deregisteredAt: 10).decidableOrphans.keys.sorted() == ["i2"])
        #expect(missing(10, deregisteredAt: 11).entry(id: "i2") == nil)
        // A file of an earlier version does not say which revision it has.
        #expect(missing(0, deregisteredAt: 11).decidableOrphans.keys.sorted() == ["i2"])
        // Instances lost with everything else are restored, even if everything is read once more.
        var wiped = EtcdReplica()
        wiped.remember([orders], at: 10)
        _ = wiped.adopt(.everything([], revision: 3, isWiped: true, deregisteredAt: 2))
        _ = wiped.adopt(.everything([], revision: 5, isWiped: false, deregisteredAt: 4))
        #expect(wiped.decidableOrphans["i1"]?.isToBeRestored == true)
    }

    // MARK: What is written again

    /// A node whose instance of `orders` has lost its lease, and that knows everything up to revision 6.
    private func orphaned() -> EtcdReplica {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5), .delete(orders, revision: 6, isDeliberate: false)], revision: 6))
        return replica
    }

    /// The write by which such a node restores the instance.
    private var restored: EtcdWrite {
        EtcdWrite(
            id: "i1", known: entry(0, lease: 0, latest: 6), instance: .test(1), lease: 9, origin: StoredOrigin(asOf: 6))
    }

    @Test func `what was registered since is newer than what is written again, though its key is gone too`() {
        // Registered by a node that did not know the instance; its lease has ended before the restoration arrived.
        let newer = ServiceInstance.test(1, weight: 7)
        let since: [EtcdChange] = [
            .put(orders, newer, revision: 8, lease: 10), .delete(orders, revision: 9, isDeliberate: false),
        ]
        let again = EtcdChange.put(orders, .test(1), revision: 10, lease: 9, origin: StoredOrigin(asOf: 6))
        // Before this node knows the result of its own restoration, and after; and one that has not heard of the end
        // of the lease.
        var early = orphaned()
        #expect(early.adopt(.changes(since, revision: 9)) == [.put(newer)])
        #expect(early.settle(restored, at: 10) == nil)
        var late = early
        #expect(late.adopt(.changes([again], revision: 10)) == [])
        var reader = orphaned()
        _ = reader.adopt(.changes([since[0]], revision: 8))
        #expect(reader.adopt(.everything([again], revision: 10, isWiped: false)) == [])
        for replica in [early, late, reader] {
            // It is written over what was written again, and by any node.
            #expect(replica.entry(id: "i1")?.revision == 10)
            #expect(replica.orphans["i1"]?.isToBeRestored == true)
        }
        // Once that has happened all is well.
        let over = EtcdChange.put(orders, newer, revision: 11, lease: 12, origin: StoredOrigin(asOf: 10))
        #expect(late.adopt(.changes([over], revision: 11)) == [.put(newer)])
        #expect(late.orphans.isEmpty)
    }

    @Test func `what was registered under another name since is newer than what is written again`() {
        let news: [EtcdChange] = [
            put(users, 8), .put(orders, .test(1), revision: 9, lease: 9, origin: StoredOrigin(asOf: 6)),
        ]
        // Before the watch reports it, and after.
        var early = orphaned()
        #expect(early.settle(restored, at: 9) == .put(.test(1)))
        #expect(early.adopt(.changes(news, revision: 9)) == [.put(.test(1, name: "users"))])
        var late = orphaned()
        #expect(late.adopt(.changes([news[0]], revision: 8)) == [.put(.test(1, name: "users"))])
        #expect(late.settle(restored, at: 9) == nil)
        #expect(late.adopt(.changes([news[1]], revision: 9)) == [])
        // A node that reads both, in any order.
        var all = [early, late]
        for values in [news, news.reversed()] {
            var replica = EtcdReplica()
            _ = replica.adopt(.everything(values, revision: 9, isWiped: false))
            all.append(replica)
        }
        for replica in all {
            #expect(replica.entry(id: "i1") == entry(8, name: "users"))
            #expect(replica.strays.mapValues(\.revision) == [orders: 9] && replica.orphans.isEmpty)
        }
    }

    @Test func `what was known when something is written again is older than that`() {
        let news: [EtcdChange] = [
            put(users, 4), .put(orders, .test(1), revision: 9, lease: 9, origin: StoredOrigin(asOf: 6)),
        ]
        for values in [news, news.reversed()] {
            var replica = EtcdReplica()
            _ = replica.adopt(.everything(values, revision: 9, isWiped: false))
            #expect(replica.entry(id: "i1")?.name == "orders")
            #expect(replica.strays.mapValues(\.revision) == [users: 4])
        }
    }

    @Test func `a result of a check does not make newer what was registered under another name since`() {
        let result = EtcdChange.put(orders, .test(1), revision: 9, lease: 9, origin: StoredOrigin(rank: 5))
        let news = [put(orders, 5), put(users, 7), result]
        var told = EtcdReplica()
        for change in news { _ = told.adopt(.changes([change], revision: change.revision)) }
        var readAnew = EtcdReplica()
        _ = readAnew.adopt(.everything([result, news[1]], revision: 9, isWiped: false))
        for replica in [told, readAnew] {
            #expect(replica.entry(id: "i1") == entry(7, name: "users"))
            #expect(replica.strays.mapValues(\.revision) == [orders: 9])
        }
        // But who has missed the result has missed something.
        var behind = EtcdReplica()
        _ = behind.adopt(.changes([news[0], result], revision: 9))
        let restored = EtcdChange.put(orders, .test(1), revision: 11, lease: 8, origin: StoredOrigin(asOf: 8))
        _ = behind.adopt(.changes([.delete(orders, revision: 10, isDeliberate: false), restored], revision: 11))
        #expect(behind.orphans["i1"]?.isToBeRestored == true)
    }

    @Test func `what is deregistered does not live on under another name, whatever its checks say`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(users, 7)], revision: 7))
        _ = replica.settle(own(nil, known: entry(7, name: "users")), at: 9)
        // Another node did not know of it, and has registered it before it was deregistered here.
        #expect(replica.adopt(.changes([put(orders, 8)], revision: 9)) == [])
        let result = EtcdChange.put(orders, .test(1), revision: 10, lease: 9, origin: StoredOrigin(rank: 8))
        #expect(replica.adopt(.changes([result], revision: 10)) == [])
        #expect(replica.entry(id: "i1") == nil)
        #expect(replica.strays.mapValues(\.revision) == [orders: 10])
        // What a client does to it since is new.
        #expect(replica.adopt(.changes([put(orders, 11)], revision: 11)) == [.put(.test(1))])
        #expect(replica.strays.isEmpty)
    }

    @Test func `a registration is new whatever was written again before`() {
        var replica = orphaned()
        _ = replica.settle(restored, at: 9)
        _ = replica.adopt(.changes([put(orders, 10)], revision: 10))
        #expect(replica.tell(put(users, 8)) == nil)
        #expect(replica.entry(id: "i1") == entry(10))
        // The revision in `as_of` may be any number.
        _ = replica.adopt(
            .changes([.put(orders, .test(1), revision: 11, lease: 9, origin: StoredOrigin(asOf: .max))], revision: 11))
        #expect(replica.adopt(.changes([put(users, 12)], revision: 12)) == [.put(.test(1, name: "users"))])
    }

    @Test func `who is missing when everything is read again is gone if somebody was deregistered unheard`() {
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([put(orders, 5)], revision: 5))
        var informed = replica
        _ = informed.adopt(.everything([], revision: 10, isWiped: false, deregisteredAt: 5))
        #expect(informed.orphans.keys.sorted() == ["i1"])
        let actions = replica.adopt(.everything([], revision: 10, isWiped: false, deregisteredAt: 6))
        #expect(actions == [.remove(id: "i1")])
        #expect(replica.orphans.isEmpty && replica.entry(id: "i1") == nil)
    }

    @Test func `an etcd that has lost everything gets it back, whatever the revisions were`() {
        var replica = EtcdReplica()
        let other = InstanceKey(name: "orders", id: "i2")
        _ = replica.tell(put(orders, 500))
        _ = replica.tell(put(other, 600))
        _ = replica.settle(EtcdWrite(id: "i3", known: entry(650)), at: 700)
        // Another node was faster with one of them.
        let actions = replica.adopt(.everything([put(orders, 3)], revision: 4, isWiped: true))
        #expect(actions == [.put(.test(1))])
        #expect(replica.orphans == ["i2": EtcdReplica.Orphan(lease: 0, isToBeRestored: true)])
        #expect(replica.doubt(now: now + .seconds(60), patience: .zero) { _ in false }.isEmpty)
        #expect(replica.tell(.delete(orders, revision: 5, isDeliberate: true)) == .remove(id: "i1"))
    }
}

extension EtcdReplica {
    /// A single change, out of order.
    fileprivate mutating func tell(_ change: EtcdChange) -> Action? {
        adopt(.findings([change], history: history)).first
    }
}
