import Testing

@testable import ControlPlane

/// What is still to be done about leases. Time is passed in.
@Suite struct EtcdUpkeepTests {
    private let now = ContinuousClock.now

    @Test func `each instance's heartbeats are passed on once`() {
        var upkeep = EtcdUpkeep()
        for id in ["a", "b", "a"] { upkeep.hear(id) }
        upkeep.hear(["b", "c"])
        #expect(upkeep.heartbeatCount == 3)
        #expect(upkeep.takeHeartbeats() == ["a", "b", "c"])
        #expect(upkeep.heartbeatCount == 0 && upkeep.takeHeartbeats().isEmpty)
    }

    @Test func `leases are given back when it is time, each once`() {
        var upkeep = EtcdUpkeep()
        upkeep.spare([1, 0, 2], mayBeUsed: false, dueAt: now)
        upkeep.spare([3], mayBeUsed: true, dueAt: now + .seconds(10))
        let first = upkeep.takeSpareLeases(now: now, limit: 1)
        #expect(first == [SpareLease(lease: 1, mayBeUsed: false, dueAt: now)])
        #expect(upkeep.takeSpareLeases(now: now + .seconds(9), limit: 10).map(\.lease) == [2])
        #expect(upkeep.takeSpareLeases(now: now + .seconds(10), limit: 10).map(\.lease) == [3])
        #expect(upkeep.takeSpareLeases(now: now + .seconds(10), limit: 10).isEmpty)
    }

    @Test func `no more of them wait than there is room for`() {
        var upkeep = EtcdUpkeep()
        upkeep.spare(1...100_000 as ClosedRange<Int64>, mayBeUsed: false, dueAt: now)
        #expect(upkeep.takeSpareLeases(now: now, limit: .max).count == 65_536)
    }
}
