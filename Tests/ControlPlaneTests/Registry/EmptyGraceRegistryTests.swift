import Engine
import Testing

@testable import ControlPlane

/// Names that have become empty are failures for a while, and then no longer, even if nothing else happens.
@Suite struct EmptyGraceRegistryTests {
    private let timers = TestTimers()

    private func makeRegistry() -> TestRegistry {
        TestRegistry(policy: RecordPolicy(onEmpty: .records([]), emptyGrace: .seconds(30)), timers: timers)
    }

    /// Returns when everything requested before is done.
    private func settle(_ test: TestRegistry) async throws { _ = try await test.registry.deregister(id: "nobody") }

    @Test func `the time ends by itself`() async throws {
        let test = makeRegistry()
        try await test.running {
            for id in ["a", "b"] { _ = try await test.registry.register(.test(id, name: id)) }
            _ = try await test.registry.deregister(id: "a")
            #expect(test.zone.content("a") == .failure && timers.delays == [.seconds(30)])
            test.clock.advance(by: .seconds(10))
            let drain = InstancePatch(isDraining: true)
            _ = try await test.registry.patch(id: "b", drain)
            #expect(test.zone.content("b") == .failure)
            // Nothing is due yet: the timer is set again.
            timers.ring()
            try await settle(test)
            #expect(test.zone.content("a") == .failure && timers.delays == [.seconds(20)])
            test.clock.advance(by: .seconds(20))
            timers.ring()
            try await settle(test)
            #expect(test.zone.content("a") == nil && test.zone.content("b") == .failure)
            #expect(timers.delays == [.seconds(10)])
            test.clock.advance(by: .seconds(10))
            timers.ring()
            try await settle(test)
            #expect(test.zone.content("b") == .records([]) && timers.delays.isEmpty)
        }
    }

    @Test func `who expires leaves a failure, too`() async throws {
        let test = makeRegistry()
        try await test.running {
            _ = try await test.registry.register(.test("a", ttl: 5))
            test.clock.advance(by: .seconds(6))
            try await test.sweep()
            #expect(test.zone.content("orders") == .failure)
            test.clock.advance(by: .seconds(30))
            timers.ring()
            try await settle(test)
            #expect(test.zone.names.isEmpty)
        }
    }

    @Test func `many names end in several publications`() async throws {
        let test = makeRegistry()
        try await test.running {
            let ids = (0..<300).map { "i\($0)" }
            _ = try await test.registry.submit(ids.map { .register(.test($0, name: $0)) })
            _ = try await test.registry.submit(ids.map { .deregister(id: $0) })
            #expect(test.zone.names.count == 600 && test.zone.content("i7") == .failure)
            #expect(timers.delays.count == 1)
            test.clock.advance(by: .seconds(30))
            timers.ring()
            try await settle(test)
            #expect(test.zone.names.isEmpty)
        }
    }
}
