@testable import ControlPlane

/// Faults put in on purpose, each of which the simulation must find: only tests can.
enum Sabotage: CaseIterable, Sendable {
    /// Transactions are made whatever has become of their keys.
    case noRevisionCheck
    /// Instances are written again without a look at who was deregistered meanwhile.
    case noLimitOnRestoring
    case leasesAreNotRenewed
    case watchSkipsAnEvent
    /// Clients are answered before etcd has kept what they ask for.
    case answerBeforeCommit
    /// Clients are answered before DNS knows.
    case answerBeforeDNS

    var skippedConditions: SkippedConditions {
        switch self {
        case .noRevisionCheck: .revisions
        case .noLimitOnRestoring: .limits
        default: .none
        }
    }
}

/// Says that changes are kept, and then has them kept.
final class HastyStore: Store, @unchecked Sendable {
    private let store: EtcdStore
    private let late: AsyncStream<[StoreChange]>
    private let later: AsyncStream<[StoreChange]>.Continuation

    init(_ store: EtcdStore) {
        self.store = store
        (late, later) = AsyncStream.makeStream(of: [StoreChange].self)
    }

    var type: String { store.type }
    var view: InstanceView { store.view }
    var state: StoreState { store.state }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {
        try await store.load(time: time)
    }

    func nextSequence(now: Moment) -> UInt64 { store.nextSequence(now: now) }

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        later.yield(changes)
        return view.apply(changes, now: time.now()).map { .kept($0) }
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        try await store.removeExpired(sweep, limit: limit)
    }

    func renew(id: String, now: Moment) -> Lease? { store.renew(id: id, now: now) }

    nonisolated(nonsending) func watch(time: TimeSource, notify: @escaping @Sendable () -> Void) async {
        await withTaskGroup { [store, late] group in
            group.addTask { await store.watch(time: time, notify: notify) }
            group.addTask {
                for await changes in late { _ = await store.commit(changes, time: time) }
            }
        }
    }

    func adoptOutsideChanges(now: Moment) { store.adoptOutsideChanges(now: now) }

    func stop() { store.stop() }

    nonisolated(nonsending) func close() async { await store.close() }
}
