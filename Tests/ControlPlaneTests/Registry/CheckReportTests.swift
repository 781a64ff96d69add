import Engine
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

    @Test func `since when a status holds is right, though what it follows could not be stored`() async throws {
        let store = FullStore()
        let test = TestRegistry(store: store)
        try await test.running {
            try await registered(test, "a", "10.0.0.1")
            let time = test.clock.now.wall
            let statuses: [CheckStatus] = [.critical, .passing, .critical]
            for (second, status) in statuses.enumerated() {
                store.isFull.store(second == 1, ordering: .relaxed)
                _ = try await test.registry.report(
                    id: "a", report(status, at: time.advanced(bySeconds: second)))
            }
            let kept = try #require(test.registry.instance(id: "a"))
            #expect(kept.health.unstored.isEmpty)
            #expect(kept.instance.results.map(\.since) == [time.advanced(bySeconds: 2)])
            // So it is if it is the last one that was held, and is stored later as it was.
            for (second, status) in statuses.enumerated() {
                store.isFull.store(second > 0, ordering: .relaxed)
                _ = try await test.registry.report(
                    id: "a", report(status, at: time.advanced(bySeconds: 10 + second)))
            }
            store.isFull.store(false, ordering: .relaxed)
            try await test.sweep()
            let stored = try #require(test.registry.instance(id: "a"))
            #expect(stored.health.unstored.isEmpty)
            #expect(stored.instance.results.map(\.since) == [time.advanced(bySeconds: 12)])
            #expect(stored.instance.results.map(\.checkedAt) == [time.advanced(bySeconds: 12)])
        }
    }

    @Test func `what was found at another place and could not be stored does not count any more`() async throws {
        let store = FullStore()
        let test = TestRegistry(store: store)
        try await test.running {
            for ids in [["a"], ["b", "b"]] {
                try await registered(test, ids[0], "10.0.0.1")
                let time = test.clock.now.wall
                store.isFull.store(true, ordering: .relaxed)
                _ = try await test.registry.report(id: ids[0], report(.critical, at: time))
                #expect(test.registry.instance(id: ids[0])?.health.unstored.count == 1)
                store.isFull.store(false, ordering: .relaxed)
                var moved = try #require(test.registry.instance(id: ids[0])).instance
                moved.address = .v4(0x0A00_0009)
                moved.results = []
                let later = time.advanced(bySeconds: 5)
                // Also in one group with the next result.
                _ = try await test.registry.submit(
                    [.restore(moved)] + ids.dropFirst().map { .report(id: $0, report(.critical, at: later)) })
                let known = try #require(test.registry.instance(id: ids[0]))
                #expect(known.health.unstored.isEmpty)
                #expect(known.status == (ids.count == 1 ? .passing : .critical))
                #expect(known.instance.results.map(\.since) == (ids.count == 1 ? [] : [later]))
            }
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
            #expect(try await expel(test, "c") == .unknownInstance)
            _ = try await test.registry.report(id: "a", report(.critical, at: test.clock.now.wall))
            #expect(try await expel(test, "d") == .unknownInstance)
            #expect(try await expel(test, "c") == .deregistered)
            #expect(test.registry.instance(id: "a") == nil)
        }
    }

    /// Each is carried out in front of the removal, in the same group.
    @Test(arguments: [
        "registered anew", "moved", "moved and critical from the start", "passed and failed again", "passed in time",
        "critical again and again",
    ]) func `what has begun anew since its removal was decided stays`(what: String) async throws {
        let test = TestRegistry()
        try await test.running {
            var registration = Registration.test("a")
            registration.checks = [.test("c", initial: .critical)]
            _ = try await test.registry.register(registration)
            let begun = test.clock.now.wall
            if what != "moved and critical from the start" {
                _ = try await test.registry.report(id: "a", report(.critical, at: begun))
            }
            let known = try #require(test.registry.instance(id: "a"))
            test.clock.advance(by: .seconds(60))
            var moved = registration
            moved.address = IPAddress("10.0.0.2") ?? moved.address
            let earlier: [RegistryCommand] =
                switch what {
                case "registered anew": [.deregister(id: "a"), .register(registration)]
                case "passed and failed again":
                    [
                        .report(id: "a", report(.passing, at: test.clock.now.wall)),
                        .report(id: "a", report(.critical, at: test.clock.now.wall)),
                    ]
                case "passed in time": [.report(id: "a", report(.passing, at: test.clock.now.wall))]
                case "critical again and again": [.report(id: "a", report(.critical, at: test.clock.now.wall))]
                default: [.register(moved)]
                }
            let outcomes = try await test.registry.submit(
                earlier + [.expel(Expulsion(instance: known, check: "c"))])
            let isGone = what == "critical again and again"
            #expect(outcomes.last == (isGone ? .deregistered : .unknownInstance))
            #expect((test.registry.instance(id: "a") == nil) == isGone)
        }
    }

    private func expel(_ test: TestRegistry, _ check: String) async throws -> CommandOutcome? {
        let known = try #require(test.registry.instance(id: "a"))
        return try await test.registry.submit([.expel(Expulsion(instance: known, check: check))]).first
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
