import Testing

@testable import ControlPlane

/// What the journal says of changes that come from etcd.
@Suite struct EtcdReasonTests {
    private let key = InstanceKey(name: "orders", id: "i1")
    private let clock = TestClock()

    private func reasons(_ mirror: EtcdMirror) -> [ChangeReason] {
        mirror.view.withTable { $0.journal.take() }.map(\.reason)
    }

    private func adopt(_ change: EtcdChange, _ mirror: EtcdMirror) {
        _ = mirror.adopt([.changes([change], revision: change.revision)], isHolding: false, now: clock.now)
    }

    @Test func `a change is this node's own also if the watch tells of it first, and else another node's`() {
        let mirror = EtcdMirror()
        mirror.view.withTable { $0.journal.open() }
        adopt(.put(key, .test(1), revision: 5, lease: 9), mirror)
        #expect(reasons(mirror) == [.anotherNode])
        mirror.beginDeparture(in: [.update(.test(1, weight: 7))])
        adopt(.put(key, .test(1, weight: 7), revision: 6, lease: 9), mirror)
        #expect(reasons(mirror) == [.request])
        mirror.endDeparture()
        adopt(.put(key, .test(1, weight: 8), revision: 7, lease: 9), mirror)
        adopt(.delete(key, revision: 8, isDeliberate: true), mirror)
        #expect(reasons(mirror) == [.anotherNode, .anotherNode])
    }

    @Test func `what others remove while this node changes it is removed by them, and the other way round`() {
        let mirror = EtcdMirror()
        adopt(.put(key, .test(1), revision: 5, lease: 9), mirror)
        mirror.view.withTable { $0.journal.open() }
        mirror.beginDeparture(in: [.update(.test(1, weight: 7), because: .check("web"))])
        adopt(.delete(key, revision: 6, isDeliberate: true), mirror)
        #expect(reasons(mirror) == [.anotherNode])
        mirror.endDeparture()
        adopt(.put(key, .test(1), revision: 7, lease: 9), mirror)
        mirror.beginDeparture(in: [.deregister(id: "i1", because: .check("web"))])
        adopt(.put(key, .test(1, weight: 8), revision: 8, lease: 9), mirror)
        #expect(reasons(mirror) == [.anotherNode, .anotherNode])
        // From now on it expects what the other node has written.
        _ = mirror.plan([.deregister(id: "i1", because: .check("web"))])
        adopt(.delete(key, revision: 9, isDeliberate: true), mirror)
        #expect(reasons(mirror) == [.check("web")])
    }

    @Test func `what others have changed since a group was planned is not what the group removes`() {
        let mirror = EtcdMirror()
        adopt(.put(key, .test(1), revision: 5, lease: 9), mirror)
        mirror.view.withTable { $0.journal.open() }
        let changes: [StoreChange] = [.deregister(id: "i1", because: .check("web"))]
        mirror.beginDeparture(in: changes)
        let plan = mirror.plan(changes)
        adopt(.put(key, .test(1, weight: 8), revision: 6, lease: 9), mirror)
        adopt(.delete(key, revision: 7, isDeliberate: true), mirror)
        #expect(reasons(mirror) == [.anotherNode, .anotherNode])
        let results = mirror.settle(changes, plan.writes, [.conflict], history: plan.history, now: clock.now)
        mirror.endDeparture()
        #expect(results.count == 1)
        guard case .conflict? = results.first else {
            Issue.record("\(results)")
            return
        }
    }

    @Test func `what is gone before it was to be removed, or when everything is read, others have removed`() {
        let mirror = EtcdMirror()
        let changes: [StoreChange] = [.deregister(id: "i1", because: .check("web"))]
        for isPlanned in [false, true] {
            let revision: Int64 = isPlanned ? 20 : 10
            adopt(.put(key, .test(1), revision: revision, lease: 9), mirror)
            mirror.view.withTable { $0.journal.open() }
            _ = reasons(mirror)
            mirror.beginDeparture(in: changes)
            if isPlanned {
                _ = mirror.plan(changes)
                // Its lease may have ended as well.
                let everything = EtcdInbox.Item.everything(
                    [], revision: revision + 2, isWiped: false, deregisteredAt: revision + 1)
                _ = mirror.adopt([everything], isHolding: false, now: clock.now)
            } else {
                adopt(.delete(key, revision: revision + 1, isDeliberate: true), mirror)
            }
            #expect(reasons(mirror) == [.anotherNode])
            #expect(mirror.instance("i1") == nil)
            mirror.endDeparture()
        }
    }

    @Test func `what a group registers and removes again is not told after the watch has told of its removal`() {
        let mirror = EtcdMirror()
        adopt(.put(key, .test(1), revision: 5, lease: 9), mirror)
        mirror.view.withTable { $0.journal.open() }
        let changes: [StoreChange] = [
            .register(.test(1, weight: 7)), .deregister(id: "i1", because: .check("web")),
        ]
        mirror.beginDeparture(in: changes)
        let plan = mirror.plan(changes)
        adopt(.delete(key, revision: 6, isDeliberate: true), mirror)
        #expect(reasons(mirror) == [.check("web")])
        let results = mirror.settle(
            changes, plan.writes, [.kept(revision: 6)], history: plan.history, now: clock.now)
        mirror.endDeparture()
        #expect(reasons(mirror).isEmpty)
        #expect(mirror.instance("i1") == nil)
        guard case .kept(let registered) = results.first else {
            Issue.record("\(results)")
            return
        }
        #expect(registered?.instance.weight == 7)
    }

    @Test(
        arguments: [
            [.deregister(id: "i1", because: .check("web")), .register(.test(1, weight: 7))],
            [.update(.test(1, weight: 6)), .update(.test(1, weight: 7))],
            [.register(.test(1, weight: 6)), .deregister(id: "i1"), .register(.test(1, weight: 7))],
        ] as [[StoreChange]])
    func `of what the watch has told already, only the end is made, and is no news`(changes: [StoreChange]) {
        let mirror = EtcdMirror()
        adopt(.put(key, .test(1), revision: 5, lease: 9), mirror)
        mirror.view.withTable { $0.journal.open() }
        mirror.beginDeparture(in: changes)
        let plan = mirror.plan(changes)
        adopt(.put(key, .test(1, weight: 7), revision: 6, lease: 9), mirror)
        #expect(reasons(mirror) == [.request])
        let results = mirror.settle(
            changes, plan.writes, [.kept(revision: 6)], history: plan.history, now: clock.now)
        mirror.endDeparture()
        #expect(reasons(mirror).isEmpty)
        #expect(mirror.instance("i1")?.instance.weight == 7)
        let weights = results.map { result -> UInt16? in
            guard case .kept(let registered) = result else { return nil }
            return registered?.instance.weight
        }
        #expect(results.count == changes.count && weights.last == 7)
    }

    @Test func `the result of a check does not make newer what was written again, a request does`() {
        let mirror = EtcdMirror()
        adopt(.put(key, .test(1), revision: 5, lease: 9, origin: StoredOrigin(asOf: 3)), mirror)
        let result = StoreChange.update(.test(1, weight: 1), because: .check("web"))
        #expect(mirror.plan([result]).writes.map(\.origin) == [StoredOrigin(asOf: 3, rank: 3)])
        #expect(mirror.plan([result, .update(.test(1, weight: 7))]).writes.map(\.origin) == [StoredOrigin()])
        #expect(mirror.plan([.register(.test(1, weight: 7)), result]).writes.map(\.origin) == [StoredOrigin()])
    }

    @Test func `an instance whose lease has ended has expired`() {
        let mirror = EtcdMirror()
        adopt(.put(key, .test(1), revision: 5, lease: 9), mirror)
        mirror.view.withTable { $0.journal.open() }
        adopt(.delete(key, revision: 6, isDeliberate: false), mirror)
        #expect(reasons(mirror).isEmpty)
        clock.advance(by: .seconds(1))
        _ = mirror.adopt([], isHolding: false, now: clock.now)
        #expect(reasons(mirror) == [.expired])
    }
}
