import Testing

@testable import ControlPlane

@Suite struct InstanceTableTests {
    private let clock = TestClock()

    private func lease(_ instance: ServiceInstance) -> Lease {
        Lease(ttlSeconds: instance.ttlSeconds, now: clock.now)
    }

    private func table(_ instances: [ServiceInstance]) -> InstanceTable {
        InstanceTable(instances, now: clock.now)
    }

    private func walk(_ table: InstanceTable, limit: Int, filter: InstanceFilter = InstanceFilter()) -> [String] {
        var ids: [String] = []
        var after: UInt64?
        while true {
            let page = table.page(after: after, limit: limit, scanLimit: 3, filter: filter)
            ids += page.instances.map(\.instance.id)
            after = page.lastSequence
            if page.isLast { return ids }
        }
    }

    @Test func `a heartbeat counts that comes while a registration is on its way to the storage`() {
        let clock = TestClock()
        var table = InstanceTable([.test(1, ttl: 30)], now: clock.now)
        let begun = clock.now
        clock.advance(by: .seconds(2))
        let heard = clock.now
        _ = table.renew(id: "i1", now: heard)
        for ttl in [30, 10, 60] {
            let new = Lease(ttlSeconds: ttl, now: begun)
            let registered = table.put(.test(1, ttl: ttl), lease: new)
            #expect(registered?.lease == Lease(ttlSeconds: ttl, now: heard))
        }
        // One that begins later, one that is for ever, and one that another node hears.
        let later = Lease(ttlSeconds: 30, now: heard.advanced(by: .seconds(1)))
        let elsewhere = Lease(heardElsewhereWithTTLSeconds: 30, now: begun)
        let permanent = Lease(ttlSeconds: 0, now: begun)
        let again = Lease(ttlSeconds: 30, now: begun)
        for (ttl, lease) in [(30, later), (30, elsewhere), (0, permanent), (30, again)] {
            let registered = table.put(.test(1, ttl: ttl), lease: lease)
            #expect(registered?.lease == lease)
        }
    }

    @Test func `counts follow every change`() {
        var table = table([.test(1), .test(2), .test(3, name: "users")])
        #expect(table.count == 3)
        #expect(table.serviceCount == 2)
        #expect(table.counts == StatusCounts(passing: 3))
        table.put(.test(2, draining: true), lease: nil)
        #expect(table.counts == StatusCounts(passing: 2, draining: 1))
        table.remove(id: "i2")
        table.remove(id: "i2")
        #expect(table.counts == StatusCounts(passing: 2))
        table.remove(id: "i3")
        let summaries = table.serviceSummaries(after: nil, limit: 10)
        #expect(summaries == [ServiceSummary(name: "orders", counts: StatusCounts(passing: 1))])
    }

    @Test func `an instance that changes its service leaves the old one and keeps its place`() {
        var table = table([.test(1), .test(2), .test(3, name: "users")])
        table.put(.test(1, name: "users"), lease: nil)
        #expect(table.instances(ofService: "orders", after: nil, limit: 10).map(\.instance.id) == ["i2"])
        #expect(table.instances(ofService: "users", after: nil, limit: 10).map(\.instance.id) == ["i1", "i3"])
        #expect(walk(table, limit: 10) == ["i1", "i2", "i3"])
    }

    @Test func `an update without a known lease is refused`() {
        var table = InstanceTable()
        #expect(table.put(.test(1), lease: nil) == nil)
        #expect(table.count == 0)
    }

    @Test func `an instance expires when its ttl is over and not before`() {
        var table = table([.test(1, ttl: 10), .test(2, ttl: 20), .test(3, ttl: 0)])
        clock.advance(by: .milliseconds(9999))
        #expect(table.removeExpired(at: clock.now.monotonic, limit: 10).instances.isEmpty)
        clock.advance(by: .milliseconds(1))
        #expect(table.removeExpired(at: clock.now.monotonic, limit: 10).instances.map(\.id) == ["i1"])
        clock.advance(by: .seconds(1_000_000))
        #expect(table.removeExpired(at: clock.now.monotonic, limit: 10).instances.map(\.id) == ["i2"])
        #expect(table.instance(id: "i3")?.lease.expiresAt == nil)
    }

    @Test func `a heartbeat gives a whole ttl again`() throws {
        var table = table([.test(1, ttl: 10)])
        for _ in 0..<5 {
            clock.advance(by: .seconds(9))
            #expect(table.renew(id: "i1", now: clock.now) != nil)
            #expect(table.removeExpired(at: clock.now.monotonic, limit: 10).instances.isEmpty)
        }
        let lease = try #require(table.instance(id: "i1")?.lease)
        #expect(lease.lastHeartbeat == clock.now.wall)
        #expect(lease.expiresAt == clock.now.wall.advanced(bySeconds: 10))
        clock.advance(by: .seconds(10))
        #expect(table.removeExpired(at: clock.now.monotonic, limit: 10).instances.map(\.id) == ["i1"])
        #expect(table.renew(id: "i1", now: clock.now) == nil)
    }

    @Test func `a ttl that was made shorter counts`() {
        var table = table([.test(1, ttl: 1000)])
        let shorter = ServiceInstance.test(1, ttl: 5)
        table.put(shorter, lease: lease(shorter))
        clock.advance(by: .seconds(5))
        #expect(table.removeExpired(at: clock.now.monotonic, limit: 10).instances.map(\.id) == ["i1"])
    }

    @Test func `an instance that was made permanent stays, and can be given a ttl again`() {
        var table = table([.test(1, ttl: 5)])
        table.put(.test(1, ttl: 0), lease: lease(.test(1, ttl: 0)))
        clock.advance(by: .seconds(6))
        #expect(table.removeExpired(at: clock.now.monotonic, limit: 10).instances.isEmpty)
        table.put(.test(1, ttl: 5), lease: lease(.test(1, ttl: 5)))
        clock.advance(by: .seconds(5))
        #expect(table.removeExpired(at: clock.now.monotonic, limit: 10).instances.count == 1)
    }

    @Test func `an instance registered again after it left does not expire with the old deadline`() {
        var table = table([.test(1, ttl: 5)])
        table.remove(id: "i1")
        table.put(.test(1, ttl: 60), lease: lease(.test(1, ttl: 60)))
        clock.advance(by: .seconds(10))
        let expired = table.removeExpired(at: clock.now.monotonic, limit: 10)
        #expect(expired == ExpiredInstances(instances: [], isComplete: true))
    }

    @Test func `a search looks at no more deadlines than it may`() {
        var table = table((1...10).map { .test($0, ttl: 1) })
        clock.advance(by: .seconds(1))
        let first = table.removeExpired(at: clock.now.monotonic, limit: 4)
        #expect(first.instances.count == 4)
        #expect(!first.isComplete)
        let second = table.removeExpired(at: clock.now.monotonic, limit: 100)
        #expect(second.instances.count == 6)
        #expect(second.isComplete)
    }

    @Test func `instances that come and go leave nothing behind`() {
        var table = table([.test(1, ttl: 7)])
        for sequence in 2...10_000 as ClosedRange<UInt64> {
            let instance = ServiceInstance.test(sequence, ttl: 1_000_000)
            table.put(instance, lease: lease(instance))
            table.remove(id: instance.id)
        }
        #expect(table.count == 1)
        clock.advance(by: .seconds(7))
        #expect(table.removeExpired(at: clock.now.monotonic, limit: 1).instances.map(\.id) == ["i1"])
    }

    @Test(arguments: [1, 2, 7, 100]) func `pages have each instance once, in the order of registration`(limit: Int) {
        let table = table((1...50).map { .test($0, name: $0 % 2 == 0 ? "even" : "odd") })
        #expect(walk(table, limit: limit) == (1...50).map { "i\($0)" })
        let even = (1...25).map { "i\($0 * 2)" }
        #expect(walk(table, limit: limit, filter: InstanceFilter(name: "even")) == even)
    }

    @Test func `a walk has what exists throughout once, whatever else changes`() {
        var table = table((1...100).map { .test($0) })
        var found: [String] = []
        var after: UInt64?
        var next: UInt64 = 101
        while true {
            let page = table.page(after: after, limit: 9, scanLimit: 1000, filter: InstanceFilter())
            found += page.instances.map(\.instance.id)
            after = page.lastSequence
            if page.isLast { break }
            // Odd ones leave before and behind the walk, new ones arrive, even ones change.
            table.remove(id: "i\(next % 2 == 1 ? next - 100 : next - 99)")
            table.remove(id: "i\(201 - next)")
            if next < 120 { table.put(.test(next), lease: lease(.test(next))) }
            table.put(.test(50, name: "moved"), lease: nil)
            next += 2
        }
        let throughout = (1...100).filter { table.instance(id: "i\($0)") != nil }.map { "i\($0)" }
        #expect(throughout.count > 50)
        #expect(found.filter(Set(throughout).contains) == throughout)
        #expect(Set(found).count == found.count)
    }

    @Test func `filters look at tag and status`() {
        let table = table([.test(1, tags: ["v1"]), .test(2, tags: ["v1", "v2"], draining: true), .test(3)])
        #expect(walk(table, limit: 10, filter: InstanceFilter(tag: "v1")) == ["i1", "i2"])
        #expect(walk(table, limit: 10, filter: InstanceFilter(tag: "v1", status: .draining)) == ["i2"])
        #expect(walk(table, limit: 10, filter: InstanceFilter(name: "nobody")) == [])
    }

    @Test func `two instances that come with one number are both listed`() {
        var second = ServiceInstance.test(1)
        second.id = "second"
        var table = table([.test(1), second, .test(2)])
        #expect(walk(table, limit: 1) == ["i1", "second", "i2"])
        table.remove(id: "second")
        table.remove(id: "i1")
        #expect(walk(table, limit: 1) == ["i2"])
    }

    @Test func `services are listed in the order of their names while there are any instances`() {
        var table = table([.test(1, name: "b"), .test(2, name: "a"), .test(3, name: "b"), .test(4, name: "c")])
        func names(after name: String? = nil, limit: Int = 10) -> [String] {
            table.serviceSummaries(after: name, limit: limit).map(\.name)
        }
        #expect(names() == ["a", "b", "c"])
        #expect(names(after: "a", limit: 1) == ["b"])
        #expect(names(after: "aa") == ["b", "c"])
        table.remove(id: "i1")
        #expect(names() == ["a", "b", "c"])
        table.put(.test(3, name: "d"), lease: nil)
        #expect(names() == ["a", "c", "d"])
    }

    @Test func `a heartbeat counts from when it arrived, in whatever order they are handled`() {
        let clock = TestClock()
        var table = InstanceTable()
        let start = clock.now
        table.put(.test(1, ttl: 10), lease: Lease(ttlSeconds: 10, now: start))
        let (early, late) = (start.advanced(by: .seconds(4)), start.advanced(by: .seconds(6)))
        #expect(table.renew(id: "i1", now: late)?.deadline == late.monotonic.advanced(by: .seconds(10)))
        #expect(table.renew(id: "i1", now: early)?.deadline == late.monotonic.advanced(by: .seconds(10)))
        #expect(table.instance(id: "i1")?.lease.lastHeartbeat == late.wall)
        #expect(table.removeExpired(at: start.monotonic.advanced(by: .seconds(15)), limit: 10).instances.isEmpty)
        #expect(table.removeExpired(at: start.monotonic.advanced(by: .seconds(16)), limit: 10).instances.count == 1)
    }
}
