import Engine
import Logging
import Synchronization
import Testing

@testable import ControlPlane

/// What the registry and the checker tell each other.
@Suite struct HealthChecksTests {
    private func registration(_ ip: String) -> Registration {
        .test("a", ip: ip, checks: [.test("web", initial: .critical)])
    }

    @Test func `a result that the same group of changes undoes is found again`() async throws {
        let store = WaitingStore()
        let test = TestRegistry(store: store)
        let registry = test.registry
        let checker = ScriptedChecker()
        let health = try HealthChecks(
            registry: registry, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { handlers in
            checker.handlers.withLock { $0 = handlers }
            return checker
        }
        try await test.running {
            health.begin()
            _ = try await registry.register(registration("10.0.0.1"))
            let assignment = try #require(checker.adopted.withLock { $0.first })
            // All that comes while another change is being stored is one group.
            store.isWaiting.store(true, ordering: .relaxed)
            async let first = registry.register(.test("z"))
            while store.waiters.load(ordering: .relaxed) == 0 { await Task.yield() }
            let passing = CheckObservation(
                name: "web", status: .passing, since: test.clock.now.wall, checkedAt: test.clock.now.wall)
            checker.handlers.withLock { $0 }?.onTransitions([
                CheckTransition(id: "a", check: passing, old: .critical, assignment: assignment.number)
            ])
            async let passedOn: Void = health.passOn()
            while registry.queue.commandCount < 1 { await Task.yield() }
            async let away = registry.register(registration("10.0.0.2"))
            while registry.queue.commandCount < 2 { await Task.yield() }
            async let back = registry.register(registration("10.0.0.1"))
            while registry.queue.commandCount < 3 { await Task.yield() }
            store.isWaiting.store(false, ordering: .relaxed)
            _ = try await (first, passedOn, away, back)
            #expect(registry.instance(id: "a")?.status == .critical)
            #expect(checker.adopted.withLock { $0.count } == 1)
            #expect(checker.reported.withLock { $0 } == [.critical])
        }
    }
}

/// A checker that notes what it is told, and finds nothing by itself.
private final class ScriptedChecker: CheckRunner {
    let handlers = Mutex<Checker.Handlers?>(nil)
    let adopted = Mutex<[CheckAssignment]>([])
    let reported = Mutex<[CheckStatus]>([])

    var statistics: Checker.Statistics { Checker.Statistics() }

    func adopt(_ assignments: [CheckAssignment]) { adopted.withLock { $0 += assignments } }

    func remove(_ ids: [String]) {}

    func report(
        _ id: String, _ check: String, _ status: CheckStatus, output: String,
        completion: @escaping @Sendable (ReportOutcome) -> Void
    ) {
        reported.withLock { $0.append(status) }
    }

    func observations(of id: String) -> [CheckObservation]? { nil }

    func shutdown() {}
}

/// A store whose commits can be made to wait. As with etcd, only the last of several changes of an instance is seen.
private final class WaitingStore: Store {
    private let memory = MemoryStore()
    let isWaiting = Atomic(false)
    let waiters = Atomic(0)

    var view: InstanceView { memory.view }
    var type: String { memory.type }
    var state: StoreState { memory.state }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {}

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        if isWaiting.load(ordering: .relaxed) { waiters.add(1, ordering: .relaxed) }
        while isWaiting.load(ordering: .relaxed) { await Task.yield() }
        var kept = changes
        var results: [Int: StoreResult] = [:]
        for index in changes.indices.reversed() {
            guard let instance = changes[index].instance,
                changes[(index + 1)...].contains(where: { $0.instance?.id == instance.id })
            else { continue }
            kept.remove(at: index)
            results[index] = .kept(RegisteredInstance(instance))
        }
        var others = await memory.commit(kept, time: time).makeIterator()
        return changes.indices.map { results[$0] ?? others.next() ?? .conflict }
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        try await memory.removeExpired(sweep, limit: limit)
    }
}

extension StoreChange {
    fileprivate var instance: ServiceInstance? {
        switch self {
        case .register(let instance, _), .update(let instance, _): instance
        case .deregister, .policy: nil
        }
    }
}
