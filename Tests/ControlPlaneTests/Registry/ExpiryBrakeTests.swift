import Engine
import Logging
import Testing

@testable import ControlPlane

/// The brake on mass expiry: those who fall silent together stay for one more ttl.
@Suite struct ExpiryBrakeTests {
    private let clock = TestClock()

    private func makeView(_ count: Int, ttl: Int = 10, share: Double = 0.5) async -> InstanceView {
        let view = InstanceView()
        view.brake = ExpiryBrake(share: share, interval: .seconds(1))
        let instances = (1...UInt64(count)).map { ServiceInstance.test($0, ip: "10.0.0.\($0)", ttl: ttl) }
        _ = view.apply(instances.map { .register($0) }, now: clock.now)
        return view
    }

    private func sweep(_ view: InstanceView, limit: Int = 2048) -> [String] {
        var gone: [String] = []
        var isComplete = false
        while !isComplete {
            let expired = view.removeExpired(Sweep(now: clock.now), limit: limit)
            gone += expired.instances.map(\.id)
            isComplete = expired.isComplete
        }
        return gone.sorted()
    }

    private func statuses(_ view: InstanceView) -> [InstanceStatus] {
        view.withTable { $0.all(ofService: "orders") }.map(\.status)
    }

    @Test func `a share that is not above the limit, or a service that is small, is not held`() {
        let brake = ExpiryBrake(share: 0.5, interval: .seconds(1))
        #expect(!brake.holds(silent: 2, of: 2) && !brake.holds(silent: 2, of: 4) && !brake.holds(silent: 0, of: 3))
        #expect(brake.holds(silent: 3, of: 4) && brake.holds(silent: 2, of: 3) && brake.holds(silent: 3, of: 3))
        #expect(!ExpiryBrake(share: 1).holds(silent: 9, of: 9) && ExpiryBrake(share: 0).holds(silent: 1, of: 3))
    }

    @Test func `most instances of a service stay for one more ttl as warning, and then go`() async {
        let view = await makeView(4)
        clock.advance(by: .seconds(10))
        #expect(sweep(view).isEmpty && statuses(view) == [.warning, .warning, .warning, .warning])
        #expect(view.withTable { $0.held["orders"] }?.count == 4)
        #expect(view.withTable { $0.counts.warning } == 4)
        clock.advance(by: .seconds(9))
        #expect(sweep(view).isEmpty)
        clock.advance(by: .seconds(1))
        #expect(sweep(view) == ["i1", "i2", "i3", "i4"] && view.withTable { $0.held.isEmpty })
    }

    @Test func `a change that was planned before a heartbeat does not undo its effect`() async throws {
        let view = await makeView(3)
        clock.advance(by: .seconds(10))
        #expect(sweep(view).isEmpty)
        var planned = try #require(view.withTable { $0.instance(id: "i1") }?.instance)
        planned.weight = 7
        _ = view.withTable { $0.renew(id: "i1", now: clock.now) }
        // The storage has kept it meanwhile.
        _ = view.apply([.update(planned)], now: clock.now)
        let changed = try #require(view.withTable { $0.instance(id: "i1") })
        #expect(changed.instance.weight == 7 && !changed.instance.isHeld && changed.status == .passing)
        #expect(view.withTable { $0.held["orders"] }?.count == 2)
        // Nor does one that was planned before it was held.
        var earlier = try #require(view.withTable { $0.instance(id: "i2") }?.instance)
        earlier.isHeld = false
        _ = view.apply([.update(earlier)], now: clock.now)
        #expect(view.withTable { $0.held["orders"] }?.count == 2)
    }

    @Test func `a heartbeat ends it for its instance at once, and so does a deregistration`() async {
        let view = await makeView(5)
        clock.advance(by: .seconds(10))
        #expect(sweep(view).isEmpty)
        clock.advance(by: .seconds(1))
        _ = view.withTable { $0.renew(id: "i2", now: clock.now) }
        _ = view.apply([.register(.test(3, ip: "10.0.0.3", ttl: 10)), .deregister(id: "i4")], now: clock.now)
        #expect(statuses(view) == [.warning, .passing, .passing, .warning])
        #expect(view.withTable { $0.held["orders"] }?.count == 2)
        clock.advance(by: .seconds(9))
        // Those that are held count as silent: the others would leave nobody.
        #expect(sweep(view) == ["i1", "i5"])
        clock.advance(by: .seconds(1))
        // Two are left, which is too few for the brake.
        #expect(sweep(view) == ["i2", "i3"])
    }

    @Test func `who comes late to a mass expiry is held too, and each only once`() async {
        let view = await makeView(10)
        // Three live half a second longer, two for long.
        for (ids, time) in [(1...5, 0), (6...8, 500), (9...10, 8000)] {
            for id in ids {
                _ = view.withTable { $0.renew(id: "i\(id)", now: clock.now.advanced(by: .milliseconds(Int64(time)))) }
            }
        }
        clock.advance(by: .seconds(10))
        // Five of ten have expired, and three are about to.
        #expect(sweep(view).isEmpty && statuses(view).count { $0 == .warning } == 5)
        clock.advance(by: .milliseconds(500))
        #expect(sweep(view).isEmpty && statuses(view).count { $0 == .warning } == 8)
        clock.advance(by: .milliseconds(7500))
        #expect(sweep(view).isEmpty && statuses(view).count { $0 == .warning } == 10)
        clock.advance(by: .seconds(2))
        #expect(sweep(view).count == 5)
        clock.advance(by: .seconds(10))
        #expect(sweep(view).count == 5 && statuses(view).isEmpty)
    }

    @Test func `few that fall silent go at once`() async {
        let view = await makeView(6)
        clock.advance(by: .seconds(5))
        for id in 1...3 { _ = view.withTable { $0.renew(id: "i\(id)", now: clock.now) } }
        clock.advance(by: .seconds(5))
        #expect(sweep(view) == ["i4", "i5", "i6"])
        #expect(statuses(view) == [.passing, .passing, .passing])
    }

    @Test func `a service that is scaled from 100 to 10 triggers nothing`() async {
        for isDrained in [false, true] {
            let view = await makeView(100)
            let instances = view.withTable { $0.all(ofService: "orders") }.map(\.instance)
            _ = view.apply(
                instances.prefix(90).map { instance in
                    var drained = instance
                    drained.isDraining = true
                    return isDrained ? .update(drained) : .deregister(id: instance.id)
                }, now: clock.now)
            clock.advance(by: .seconds(8))
            for instance in instances.suffix(10) { _ = view.withTable { $0.renew(id: instance.id, now: clock.now) } }
            clock.advance(by: .seconds(2))
            // Those that were drained are stopped without a word: they go.
            #expect(sweep(view).count == (isDrained ? 90 : 0))
            #expect(statuses(view) == Array(repeating: .passing, count: 10))
        }
    }

    @Test func `an instance with a short ttl is not about to expire while half of it is left`() async {
        let view = await makeView(3, ttl: 1)
        clock.advance(by: .milliseconds(500))
        for id in 1...2 { _ = view.withTable { $0.renew(id: "i\(id)", now: clock.now) } }
        clock.advance(by: .milliseconds(500))
        #expect(sweep(view) == ["i3"])
    }

    @Test(arguments: [1, 7, 100]) func `it does not matter in how many steps they are found`(limit: Int) async {
        let view = await makeView(700)
        _ = view.apply(
            (1001...1300).map { .register(.test($0, name: "users", ip: "10.0.0.1", ttl: 10)) }, now: clock.now)
        for id in 1001...1200 {
            _ = view.withTable { $0.renew(id: "i\(id)", now: clock.now.advanced(by: .seconds(5))) }
        }
        clock.advance(by: .seconds(10))
        let gone = sweep(view, limit: limit)
        #expect(gone.count == 100 && view.withTable { $0.held["orders"] }?.count == 700)
        #expect(view.withTable { $0.held["users"] } == nil)
        // Heartbeats between two steps count.
        clock.advance(by: .seconds(10))
        _ = view.removeExpired(Sweep(now: clock.now), limit: limit)
        _ = view.withTable { $0.renew(id: "i1", now: clock.now) }
        #expect(sweep(view, limit: limit).count(where: { $0 == "i1" }) == 0)
        #expect(view.withTable { $0.all(ofService: "orders") }.map(\.instance.id) == ["i1"])
    }

    @Test func `the registry keeps them in DNS, says so, and lets them go when it is told to`() async throws {
        let clock = TestClock()
        let zone = TestZone()
        let registry = Registry(
            store: MemoryStore(), publisher: ZonePublisher(sink: zone, policy: RecordPolicy()), limits: .init(),
            cleanupInterval: .seconds(3600), massExpiryBrake: 0.5, time: clock.source,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await registry.load()
        async let running: Void = registry.run()
        func sweep() async throws {
            registry.sweep()
            _ = try await registry.deregister(id: "nobody")
        }
        for number in 1...4 { _ = try await registry.register(.test("i\(number)", ip: "10.0.0.\(number)", ttl: 10)) }
        clock.advance(by: .seconds(10))
        try await sweep()
        #expect(zone.addresses("orders").count == 4)
        let brake = try #require(registry.brakes(ofService: "orders").first)
        #expect(brake.kind == .massExpiry && brake.since == clock.now.wall)
        #expect(brake.until == clock.now.wall.advanced(bySeconds: 10) && registry.brakesInForce().count == 1)
        #expect(registry.renew(id: "i1") != nil)
        #expect(try await registry.release("users") == 0)
        #expect(try await registry.release("orders") == 3)
        #expect(zone.addresses("orders") == ["10.0.0.1"] && registry.brakes(ofService: "orders").isEmpty)
        registry.stop()
        await running
    }
}
