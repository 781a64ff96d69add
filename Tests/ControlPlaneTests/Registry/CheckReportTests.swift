import Synchronization
import Testing

@testable import ControlPlane

/// What results of checks do to the registry, also while the storage keeps nothing.
@Suite struct CheckReportTests {
    private func report(_ status: CheckStatus, at time: WallTime) -> CheckReport {
        CheckReport(name: "c", status: status, output: "HTTP 503", time: time)
    }

    private func registered(_ test: TestRegistry, _ id: String, _ ip: String) async throws {
        var registration = Registration.test(id, ip: ip)
        registration.checks = [.test("c")]
        _ = try await test.registry.register(registration)
    }

    @Test func `DNS leaves out a dead instance though the storage keeps nothing, and stores that when it can`()
        async throws
    {
        let store = FullStore()
        let test = TestRegistry(store: store)
        try await test.running {
            try await registered(test, "a", "10.0.0.1")
            try await registered(test, "b", "10.0.0.2")
            store.isFull.store(true, ordering: .relaxed)
            let time = test.clock.now.wall
            let outcome = try await test.registry.report(id: "a", report(.critical, at: time))
            guard case .reported(let shown) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(shown.status == .critical && shown.instance.results.isEmpty)
            #expect(test.zone.addresses("orders") == ["10.0.0.2"])
            // A client is told.
            var own = report(.critical, at: time)
            own.origin = .client
            await #expect(throws: RegistryError.self) { try await test.registry.report(id: "b", own) }
            #expect(test.zone.addresses("orders") == ["10.0.0.2"])
            try await test.sweep()
            #expect(test.registry.instance(id: "a")?.health.unstored.count == 1)
            store.isFull.store(false, ordering: .relaxed)
            try await test.sweep()
            let kept = test.registry.instance(id: "a")
            #expect(kept?.health.unstored == [] && kept?.status == .critical)
            #expect(kept?.instance.results.map(\.status) == [.critical])
        }
    }

    @Test func `an instance that recovers while the storage keeps nothing is answered again`() async throws {
        let store = FullStore()
        let test = TestRegistry(store: store)
        try await test.running {
            try await registered(test, "a", "10.0.0.1")
            store.isFull.store(true, ordering: .relaxed)
            let time = test.clock.now.wall
            _ = try await test.registry.report(id: "a", report(.critical, at: time))
            #expect(test.zone.addresses("orders") == [])
            // An older result, of another node, does not count.
            _ = try await test.registry.report(id: "a", report(.passing, at: time.advanced(bySeconds: -1)))
            #expect(test.zone.addresses("orders") == [])
            for isFull in [true, false] {
                store.isFull.store(isFull, ordering: .relaxed)
                _ = try await test.registry.report(id: "a", report(.passing, at: time.advanced(bySeconds: 1)))
                #expect(test.zone.addresses("orders") == ["10.0.0.1"])
            }
            #expect(test.registry.instance(id: "a")?.health.unstored == [])
        }
    }

    @Test(arguments: [false, true]) func `a clock that was put back keeps no dead instance in DNS`(
        isFull: Bool
    ) async throws {
        let store = FullStore()
        let test = TestRegistry(store: store)
        try await test.running {
            try await registered(test, "a", "10.0.0.1")
            // What is known is from an hour later than any clock says now.
            let later = test.clock.now.wall.advanced(bySeconds: 3600)
            _ = try await test.registry.report(id: "a", report(.warning, at: later))
            store.isFull.store(isFull, ordering: .relaxed)
            _ = try await test.registry.report(id: "a", report(.critical, at: test.clock.now.wall))
            #expect(test.zone.addresses("orders") == [])
            store.isFull.store(false, ordering: .relaxed)
            try await test.sweep()
            #expect(test.registry.instance(id: "a")?.instance.results.map(\.status) == [.critical])
            _ = try await test.registry.report(id: "a", report(.passing, at: test.clock.now.wall))
            #expect(test.zone.addresses("orders") == ["10.0.0.1"])
        }
    }

    @Test func `what was critical for too long is removed, unless it has recovered meanwhile`() async throws {
        let test = TestRegistry()
        try await test.running {
            try await registered(test, "a", "10.0.0.1")
            #expect(try await test.registry.expel(id: "a", check: "c") == .unknownInstance)
            _ = try await test.registry.report(id: "a", report(.critical, at: test.clock.now.wall))
            #expect(try await test.registry.expel(id: "a", check: "d") == .unknownInstance)
            #expect(try await test.registry.expel(id: "a", check: "c") == .deregistered)
            #expect(test.registry.instance(id: "a") == nil)
        }
    }
}

/// A store that can keep nothing for a while.
private final class FullStore: Store {
    private let memory = MemoryStore()
    let isFull = Atomic(false)

    var view: InstanceView { memory.view }
    var type: String { "full" }
    var state: StoreState { StoreState(problem: isFull.load(ordering: .relaxed) ? "full" : nil) }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {}

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        guard isFull.load(ordering: .relaxed) else { return await memory.commit(changes, time: time) }
        return changes.map { _ in .unavailable(StoreUnavailable(reason: "full")) }
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        try await memory.removeExpired(sweep, limit: limit)
    }
}
