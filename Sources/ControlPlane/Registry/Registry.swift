import Engine
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// All registered instances: the only place where they change.
///
/// Reads and heartbeats are answered on the caller's thread. Changes go to the ``RegistryCommitter``; they return when
/// they are stored and every DNS worker answers with them.
final class Registry: Sendable {
    let store: any Store
    private let time: TimeSource
    /// Half the cleanup interval: an instance that expires right after a search is still removed within one interval.
    private let sweepPeriod: Duration
    private let schedule: Mutex<SweepSchedule>
    let queue = CommitQueue()
    /// Those who are told of changes.
    let listeners = ChangeListeners()
    /// What has happened so far, in numbers.
    let counters = RegistryCounters()
    /// The newest changes.
    let feed: ChangeFeed
    /// Up to which change DNS answers.
    let publication = Publication()
    private let committer: RegistryCommitter
    private let loaded = Atomic(false)
    private let brakes = BrakesInForce()
    let timers: any Timers
    /// What it may hold.
    let limits: Configuration.RegistryLimits

    /// Prepares a registry; ``load()`` fills it.
    ///
    /// - Parameters:
    ///   - limits: what it may hold.
    ///   - cleanupInterval: how long an expired instance may stay.
    ///   - massExpiryBrake: the share (0–1) of a service's instances above which they don't expire together.
    ///   - timers: call back on one of the threads that receive heartbeats.
    ///   - executor: runs the committer; `nil`: on a thread of its own.
    ///   - feed: gets the changes once DNS answers with them.
    init(
        store: any Store,
        publisher: ZonePublisher,
        limits: Configuration.RegistryLimits,
        cleanupInterval: Duration,
        massExpiryBrake: Double = 1,
        time: TimeSource = .system,
        timers: any Timers = EventLoopTimers.shared,
        executor: (any SerialExecutor)? = nil,
        feed: ChangeFeed = ChangeFeed(),
        logger: Logger
    ) {
        self.feed = feed
        self.limits = limits
        self.store = store
        self.time = time
        sweepPeriod = cleanupInterval / 2
        schedule = Mutex(SweepSchedule(period: sweepPeriod, now: time.now()))
        self.timers = timers
        let log = ChangeLog(logger: logger, time: time, timers: timers)
        listeners.add { log.note($0, $1) }
        listeners.add { [counters] changes, _ in counters.note(changes) }
        store.view.brake = ExpiryBrake(share: massExpiryBrake, interval: cleanupInterval)
        committer = RegistryCommitter(
            // This group is never shut down: it ends with the process.
            executor: executor ?? MultiThreadedEventLoopGroup(numberOfThreads: 1).next().executor,
            queue: queue,
            store: store,
            publisher: publisher,
            limits: limits,
            time: time,
            timers: timers,
            feed: feed,
            publication: publication,
            listeners: listeners,
            brakes: brakes,
            counters: counters,
            logger: logger
        )
    }

    /// Loads and publishes everything that is stored.
    func load() async throws(StoreUnavailable) {
        // Nobody can send heartbeats before everything is loaded: until then it counts as a pause.
        schedule.withLock { $0.pause(since: time.now()) }
        try await committer.load()
        loaded.store(true, ordering: .releasing)
    }

    /// Carries out changes until ``stop()`` is called and all accepted ones are done.
    func run() async {
        schedule.withLock { $0.resume(now: time.now()) }
        // Sweeps run where heartbeats do, so both are late together. The committer's thread is late after any large
        // commit.
        let endSweeps = timers.every(sweepPeriod, after: sweepPeriod) { [self] in sweep() }
        let (notices, notifier) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withTaskGroup { group in
            group.addTask { [committer] in await committer.publishOutsideChanges(notices) }
            group.addTask { [feed] in await feed.tellReaders() }
            group.addTask { [store, time] in await store.watch(time: time) { notifier.yield() } }
            await committer.run()
            feed.end()
            group.cancelAll()
        }
        publication.end()
        endSweeps()
        await store.close()
    }

    /// Accepts no more changes.
    func stop() {
        queue.close()
        store.stop()
    }

    /// Starts a search for expired instances, which is due now.
    func sweep() {
        queue.requestSweep(schedule.withLock { $0.sweep(now: time.now()) })
    }

    /// Registers an instance.
    func register(
        _ registration: Registration, by requester: Requester? = nil
    ) async throws(RegistryError) -> CommandOutcome {
        try await submit(.register(registration), by: requester)
    }

    /// Changes fields of an instance.
    func patch(
        id: String, _ patch: InstancePatch, by requester: Requester? = nil
    ) async throws(RegistryError) -> CommandOutcome {
        try await submit(.patch(id: id, patch), by: requester)
    }

    /// Removes an instance.
    func deregister(id: String, by requester: Requester? = nil) async throws(RegistryError) -> CommandOutcome {
        try await submit(.deregister(id: id), by: requester)
    }

    /// Takes in the result of a check.
    func report(
        id: String, _ report: CheckReport, by requester: Requester? = nil
    ) async throws(RegistryError) -> CommandOutcome {
        try await submit(.report(id: id, report), by: requester)
    }

    /// Replaces the policy of a service as a whole; `nil`: removes it.
    func setPolicy(
        _ policy: ServicePolicy?, of name: String, by requester: Requester? = nil
    ) async throws(RegistryError) -> CommandOutcome {
        try await submit(.setPolicy(name: name, policy), by: requester)
    }

    /// Ends the brake on mass expiry for a service, and that its names answer their last known instances: those leave.
    ///
    /// - Returns: how many have left.
    func release(_ name: String, by requester: Requester? = nil) async throws(RegistryError) -> Int {
        let released = try await releaseHeld(name, by: requester)
        return released + (await committer.releaseLastKnown(name))
    }

    /// Forgets expired instances that somebody drains: names must not answer them as the last known ones.
    ///
    /// - Parameter service: the only one whose instances they are; `nil`: any.
    func forgetExpired(
        ofService service: String?, where isSuch: @escaping @Sendable (ServiceInstance) -> Bool
    ) async {
        await committer.forgetExpired(ofService: service, where: isSuch)
    }

    private func releaseHeld(_ name: String, by requester: Requester?) async throws(RegistryError) -> Int {
        guard store.view.withTable({ $0.held[name] }) != nil else { return 0 }
        let held = store.instances(ofService: name).filter(\.instance.isHeld)
        var released = 0
        var rest = held[...]
        while !rest.isEmpty {
            let outcomes = try await submit(rest.prefix(1000).map { .release(id: $0.instance.id) }, by: requester)
            released += outcomes.count { $0 == .deregistered }
            rest = rest.dropFirst(1000)
        }
        return released
    }

    /// What keeps DNS from being wrongly empty for a service, at present.
    func brakes(ofService name: String) -> [BrakeInForce] { brakes.of(name) }

    /// What keeps DNS from being wrongly empty at present: the oldest, and how many there are.
    func brakesInForce() -> (brakes: [BrakeInForce], count: Int) { brakes.list() }

    /// How many brakes of a kind are in force.
    func brakeCount(_ kind: BrakeInForce.Kind) -> Int { brakes.count(of: kind) }

    /// All policies, by service.
    func policies() -> [String: ServicePolicy] { store.view.withTable { $0.policies } }

    /// The policy of a service; `nil`: it has none.
    func policy(of name: String) -> ServicePolicy? { store.view.withTable { $0.policies[name] } }

    /// Makes several changes, which are stored together.
    ///
    /// - Parameter requester: who asks for them, and may change only some services; `nil`: this server itself.
    /// - Returns: an outcome for each command, in order.
    func submit(
        _ commands: [RegistryCommand], by requester: Requester? = nil
    ) async throws(RegistryError) -> [CommandOutcome] {
        if commands.isEmpty { return [] }
        let result = await withCheckedContinuation { continuation in
            do throws(RegistryError) {
                try queue.append(PendingCommit(commands: commands, requester: requester, continuation: continuation))
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        return try result.get()
    }

    private func submit(
        _ command: RegistryCommand, by requester: Requester? = nil
    ) async throws(RegistryError) -> CommandOutcome {
        try await submit([command], by: requester).first ?? .unknownInstance
    }

    /// Renews the lease of an instance for a whole ttl.
    ///
    /// - Parameters:
    ///   - moment: when the heartbeat arrived; `nil`: now.
    ///   - requester: who sends it; `nil`: somebody who may change every service.
    func renew(id: String, heardAt moment: Moment? = nil, by requester: Requester?) -> Renewal {
        let renewal = store.renew(id: id, now: moment ?? time.now(), by: requester)
        switch renewal {
        case .renewed: counters.noteHeartbeats(renewed: 1, unknown: 0)
        case .unknown: counters.noteHeartbeats(renewed: 0, unknown: 1)
        case .denied: break
        }
        return renewal
    }

    /// Renews the lease of an instance for a whole ttl.
    ///
    /// - Returns: the lease, or `nil` if there is no such instance.
    func renew(id: String) -> Lease? { store.renew(id: id, now: time.now()) }

    /// The results of many heartbeats, each id once.
    struct Renewals: Sendable, Equatable {
        /// How many leases are a whole ttl again.
        var renewed = 0
        /// The ids that there are not.
        var unknown: [String] = []
        /// The ids of instances that the sender may not change, and why, in the same order.
        var denied: [String] = []
        var denials: [Denial] = []
    }

    /// Renews the leases of instances for a whole ttl, each once however often it is named.
    ///
    /// - Parameters:
    ///   - moment: when the heartbeats arrived; `nil`: now.
    ///   - requester: who sends them; `nil`: somebody who may change every service.
    func renew(ids: [String], heardAt moment: Moment? = nil, by requester: Requester? = nil) -> Renewals {
        let now = moment ?? time.now()
        var seen: Set<String> = []
        seen.reserveCapacity(ids.count)
        var renewals = Renewals()
        for id in ids where seen.insert(id).inserted {
            switch store.renew(id: id, now: now, by: requester) {
            case .renewed: renewals.renewed += 1
            case .unknown: renewals.unknown.append(id)
            case .denied(let denial):
                renewals.denied.append(id)
                renewals.denials.append(denial)
            }
        }
        counters.noteHeartbeats(renewed: renewals.renewed, unknown: renewals.unknown.count)
        return renewals
    }

    /// See ``RegistryCommitter/nameState(_:ofService:)``. Waits for a publication under way, but not for the store.
    func nameState(_ name: String, ofService service: String) async -> ZonePublisher.NameState {
        await committer.nameState(name, ofService: service)
    }

    /// The instance with that id.
    func instance(id: String) -> RegisteredInstance? {
        store.instance(id: id)
    }

    /// The instances of a service in the order of their registration.
    func instances(ofService name: String) -> [RegisteredInstance] {
        store.instances(ofService: name)
    }

    /// The instances that have checks.
    func checkedInstances() -> [RegisteredInstance] {
        let ids = store.view.withTable { $0.checkedIDs }
        return ids.compactMap { store.instance(id: $0) }
    }

    /// Calls `body` with each instance, in the order of their registration. That takes a second for a million.
    func forEachInstance(_ body: (ServiceInstance) -> Void) {
        var place: UInt64?
        var isLast = false
        while !isLast {
            let page = store.list(after: place, limit: 1024, filter: InstanceFilter())
            for registered in page.instances { body(registered.instance) }
            (place, isLast) = (page.lastSequence, page.isLast)
        }
    }

    /// A page of the list of instances; see ``Store/list(after:limit:filter:)``.
    func list(after sequence: UInt64?, limit: Int, filter: InstanceFilter) -> InstancePage {
        store.list(after: sequence, limit: limit, filter: filter)
    }

    /// A page of the services with the number of their instances; see ``Store/serviceSummaries(after:limit:)``.
    func serviceSummaries(after name: String?, limit: Int) -> [ServiceSummary] {
        store.serviceSummaries(after: name, limit: limit)
    }

    /// The most important numbers. Never waits for a change under way.
    func summary() -> RegistrySummary {
        let (counts, services, names) = store.view.withTable { ($0.counts, $0.serviceCount, $0.nameCount) }
        return RegistrySummary(
            counts: counts,
            serviceCount: services,
            nameCount: names,
            storeType: store.type,
            storeState: store.state,
            zoneGeneration: committer.zoneGeneration,
            lastKnownNames: committer.lastKnownNames,
            queuedChanges: queue.commandCount
        )
    }

    /// Whether everything stored is loaded and in DNS. Until then, an instance that is not found may exist.
    var isLoaded: Bool { loaded.load(ordering: .acquiring) }

    /// Whether the store accepts changes now.
    var storeState: StoreState { store.state }
}

/// The most important numbers of the registry.
struct RegistrySummary: Sendable {
    var counts: StatusCounts
    var serviceCount: Int
    /// Names in DNS, those of tags and protocols too.
    var nameCount: Int
    var storeType: String
    var storeState: StoreState
    /// The generation of the zone after the last publication.
    var zoneGeneration: UInt64
    /// How many names answer their last known instances.
    var lastKnownNames: Int
    /// How many changes wait to be stored.
    var queuedChanges: Int
}
