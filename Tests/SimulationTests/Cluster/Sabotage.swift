@testable import ControlPlane

/// Faults that are put in on purpose. The simulation must find each of them. Only tests can put them in.
enum Sabotage: CaseIterable, Sendable {
    // MARK: With etcd

    /// Transactions are made whatever has happened to their keys.
    case noRevisionCheck
    /// Instances are written again without a check for deregistrations meanwhile.
    case noLimitOnRestoring
    case leasesAreNotRenewed
    case watchSkipsAnEvent
    /// A node learns only once which nodes there are.
    case nodesAreLearnedOnce
    /// A node takes nodes that are gone for alive when it comes to checks.
    case nodesThatAreGoneCheck
    /// Watches leave out some changes of policies.
    case watchSkipsPolicies

    // MARK: With SQLite

    /// Commits are not synced, which is the most usual setting with WAL.
    case journalIsNotSynced
    /// The rows of deregistered instances stay.
    case rowsStay
    /// The rows of removed policies stay.
    case policiesStay
    /// All instances of a service expire together, although a brake is configured.
    case brakeNeverHolds
    /// The brake holds instances when fewer are silent than configured.
    case brakeHoldsTooSoon

    // MARK: With both

    /// Clients are answered before their changes are kept.
    case answerBeforeCommit
    /// Clients are answered before DNS has the change.
    case answerBeforeDNS
    /// Names whose last healthy instance has gone are failures for half of the configured time.
    case graceEndsEarly
    /// These names are failures for longer than configured.
    case graceEndsLate
    /// Results of checks are not stored.
    case resultsAreNotStored
    /// Results of checks arrive late, as if they were new.
    case oldResultWins
    /// Nodes check, and keep the results to themselves.
    case resultsStayHere
    /// Instances are removed as soon as a check has been critical for a second.
    case removalsComeTooSoon
    /// A checker that reaches no targets goes on as if each had failed.
    case cutOffIsNotNoticed
    /// Those who follow the changes miss some.
    case changesAreNotTold
    /// What the brake holds is held for ever.
    case brakeNeverEnds

    /// The kinds of cluster that the fault applies to.
    var kinds: [Cluster.Kind] {
        switch self {
        case .noRevisionCheck, .noLimitOnRestoring, .leasesAreNotRenewed, .watchSkipsAnEvent, .nodesAreLearnedOnce,
            .nodesThatAreGoneCheck, .watchSkipsPolicies:
            [.etcd]
        case .journalIsNotSynced, .rowsStay, .policiesStay, .brakeNeverHolds, .brakeHoldsTooSoon: [.sqlite]
        case .answerBeforeCommit, .answerBeforeDNS, .graceEndsEarly, .resultsAreNotStored, .oldResultWins,
            .resultsStayHere, .removalsComeTooSoon, .cutOffIsNotNoticed, .changesAreNotTold, .brakeNeverEnds:
            [.etcd, .sqlite]
        // With etcd the grace time may end late anyway, when the committer waits.
        case .graceEndsLate: [.sqlite]
        }
    }

    /// All faults, each with every kind that it applies to.
    static var all: [(Sabotage, Cluster.Kind)] { allCases.flatMap { each in each.kinds.map { (each, $0) } } }

    func emptyGrace(_ duration: Duration) -> Duration {
        switch self {
        case .graceEndsEarly: duration / 2
        case .graceEndsLate: duration + duration / 100
        default: duration
        }
    }

    func brakeShare(_ share: Double) -> Double {
        switch self {
        case .brakeNeverHolds: 1
        case .brakeHoldsTooSoon: share < 1 ? share / 4 : share
        default: share
        }
    }

    var skippedConditions: SkippedConditions {
        switch self {
        case .noRevisionCheck: .revisions
        case .noLimitOnRestoring: .limits
        default: .none
        }
    }
}

/// Reports changes as kept, and only then has them kept.
final class HastyStore: Store, @unchecked Sendable {
    private let store: any Store
    private let timers: any Timers
    /// The delay until they are kept.
    private let delay: Duration
    private let late: AsyncStream<[StoreChange]>
    private let later: AsyncStream<[StoreChange]>.Continuation

    init(_ store: any Store, _ timers: any Timers, delay: Duration) {
        self.store = store
        self.timers = timers
        self.delay = delay
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
        if delay == .zero {
            later.yield(changes)
        } else {
            timers.once(after: delay) { [later] in later.yield(changes) }
        }
        return view.apply(changes, now: time.now()).map { .kept($0) }
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        try await store.removeExpired(sweep, limit: limit)
    }

    func renew(id: String, now: Moment, by requester: Requester?) -> Renewal {
        store.renew(id: id, now: now, by: requester)
    }

    nonisolated(nonsending) func watch(time: TimeSource, notify: @escaping @Sendable () -> Void) async {
        await withTaskGroup { [store, late] group in
            group.addTask { await store.watch(time: time, notify: notify) }
            group.addTask {
                for await changes in late { _ = await store.commit(changes, time: time) }
            }
        }
    }

    func adoptOutsideChanges(now: Moment) { store.adoptOutsideChanges(now: now) }

    var isShared: Bool { store.isShared }

    nonisolated(nonsending) func watchNodes(_ body: @escaping @Sendable (CheckerNodes) -> Void) async {
        await store.watchNodes(body)
    }

    func stop() { store.stop() }

    nonisolated(nonsending) func close() async { await store.close() }
}

/// Makes some changes in its view, and nowhere else.
final class ForgetfulStore: Store, @unchecked Sendable {
    private let store: any Store
    /// The changes that are made in the view only.
    private let isForgotten: (StoreChange) -> Bool

    init(_ store: any Store, _ isForgotten: @escaping (StoreChange) -> Bool) {
        self.store = store
        self.isForgotten = isForgotten
    }

    var type: String { store.type }
    var view: InstanceView { store.view }
    var state: StoreState { store.state }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {
        try await store.load(time: time)
    }

    func nextSequence(now: Moment) -> UInt64 { store.nextSequence(now: now) }

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        if changes.allSatisfy(isForgotten) { return view.apply(changes, now: time.now()).map { .kept($0) } }
        return await store.commit(changes, time: time)
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        try await store.removeExpired(sweep, limit: limit)
    }

    func renew(id: String, now: Moment, by requester: Requester?) -> Renewal {
        store.renew(id: id, now: now, by: requester)
    }

    nonisolated(nonsending) func watch(time: TimeSource, notify: @escaping @Sendable () -> Void) async {
        await store.watch(time: time, notify: notify)
    }

    func adoptOutsideChanges(now: Moment) { store.adoptOutsideChanges(now: now) }

    var isShared: Bool { store.isShared }

    nonisolated(nonsending) func watchNodes(_ body: @escaping @Sendable (CheckerNodes) -> Void) async {
        await store.watchNodes(body)
    }

    func stop() { store.stop() }

    nonisolated(nonsending) func close() async { await store.close() }
}

extension StoreChange {
    var isDeregistration: Bool { if case .deregister = self { true } else { false } }

    var isRemovalOfPolicy: Bool { if case .policy(_, nil, _) = self { true } else { false } }

    /// Whether it is the result of a check.
    var isResult: Bool { if case .update(_, .check) = self { true } else { false } }
}
