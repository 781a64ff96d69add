import Engine
import Logging
import Synchronization

/// The one task that changes the registry: storage first, then DNS, then the answer to the client.
///
/// Requests that arrive during a commit become the next group. The committer has a thread of its own, because
/// publishing blocks until all DNS workers have adopted the change.
actor RegistryCommitter {
    /// How many deadlines are looked at before other work gets its turn.
    private static let sweepLimit = 2048
    /// How many services are published together when all of them are.
    private static let servicesAtOnce = 1000
    /// A group changes at most about this many names: an instance may have one for each tag. A larger request is
    /// carried out in parts. That way others need not wait for all of it, and a publication takes less memory: while it
    /// is made, it needs many times the size of its records.
    static let namesAtOnce = 32_768
    /// How many instances' results are stored at once after the storage has failed.
    private static let resultsAtOnce = 4096
    /// How often a change is tried when other nodes get in its way.
    private static let maximumAttempts = 10
    /// The error of a change that was tried that often.
    private static let contended = StoreUnavailable(reason: "other nodes keep changing the same instance")

    // Unsafe: the reference is unowned; the executor lives as long as the actor, which holds it.
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    private let executor: any SerialExecutor
    private let queue: CommitQueue
    private let store: any Store
    private let limits: Configuration.RegistryLimits
    private let time: TimeSource
    private let timers: any Timers
    private let feed: ChangeFeed
    private let publication: Publication
    private let listeners: ChangeListeners
    private let brakes: BrakesInForce
    private let counters: RegistryCounters
    private let logger: Logger
    private var publisher: ZonePublisher
    /// When the timer fires that ends grace times; `nil`: none is set.
    private var awaitedGraceEnd: ContinuousClock.Instant?
    private var lastFailure: StoreUnavailable?
    /// The ids of instances with results of checks that could not be stored yet.
    private var unstored: Set<String> = []
    private let generation = Atomic<UInt64>(0)
    private let lastKnownLog: LastKnownLog
    private let lastKnownCount = Atomic<Int>(0)

    /// The generation of the zone after the last publication. Reading it never waits.
    nonisolated var zoneGeneration: UInt64 { generation.load(ordering: .relaxed) }

    /// How many names answer their last known instances. Reading it never waits.
    nonisolated var lastKnownNames: Int { lastKnownCount.load(ordering: .relaxed) }

    init(
        executor: any SerialExecutor,
        queue: CommitQueue,
        store: any Store,
        publisher: ZonePublisher,
        limits: Configuration.RegistryLimits,
        time: TimeSource,
        timers: any Timers,
        feed: ChangeFeed,
        publication: Publication,
        listeners: ChangeListeners,
        brakes: BrakesInForce,
        counters: RegistryCounters,
        logger: Logger
    ) {
        self.executor = executor
        self.queue = queue
        self.store = store
        self.publisher = publisher
        self.limits = limits
        self.time = time
        self.timers = timers
        self.feed = feed
        self.publication = publication
        self.listeners = listeners
        self.brakes = brakes
        self.counters = counters
        self.logger = logger
        lastKnownLog = LastKnownLog(logger: logger, time: time, timers: timers)
    }

    /// Loads the store's view and publishes every service, in slices.
    func load() async throws(StoreUnavailable) {
        try await store.load(time: time)
        let (index, policies) = store.view.withTable { table in
            table.journal.open()
            return (table.changeIndex, table.policies)
        }
        publisher.adopt(policies.mapValues { .some($0) }, isStart: true)
        let services = store.serviceSummaries(after: nil, limit: .max).map(\.name)
        // At least once, even without services: the first publication makes the zone known.
        var rest = services[...]
        repeat {
            publish(services: Array(rest.prefix(Self.servicesAtOnce)), isStart: true)
            rest = rest.dropFirst(Self.servicesAtOnce)
        } while !rest.isEmpty
        noteLastKnown()
        awaitGraceEnd()
        feed.begin(at: index)
        publication.advance(to: index)
    }

    /// What decides about the records of a name besides its instances.
    func nameState(_ name: String, ofService service: String) -> ZonePublisher.NameState {
        publisher.state(of: name, ofService: service)
    }

    /// Works until the queue is closed and empty.
    func run() async {
        while let work = await queue.next() {
            if work.isGraceOver { endGraces() }
            if let sweep = work.sweep {
                await carryOut(sweep)
                await storeHeldResults()
            }
            if !work.group.isEmpty { await commit(work.group) }
        }
    }

    /// Publishes what other nodes have changed in the store, after each element of `notices`.
    func publishOutsideChanges(_ notices: AsyncStream<Void>) async {
        for await _ in notices { adoptOutsideChanges() }
    }

    private func commit(_ group: [PendingCommit]) async {
        let commands = group.flatMap { request in request.rest.map { Asked(command: $0, requester: request.requester) }
        }
        answer(group, hold(commands, await carryOut(commands)))
    }

    /// A command, and who asks for it.
    private struct Asked {
        var command: RegistryCommand
        var requester: Requester?
    }

    /// Stores and publishes changes.
    ///
    /// - Returns: the outcomes of the first commands; the others wait for the next group.
    private func carryOut(_ commands: [Asked]) async -> [Result<CommandOutcome, StoreUnavailable>] {
        var outcomes: [Result<CommandOutcome, StoreUnavailable>?] = []
        var open = commands.indices.map(\.self)
        for attempt in 0..<Self.maximumAttempts where !open.isEmpty {
            let now = time.now()
            var plan = CommitPlan(
                nextSequence: store.nextSequence(now: now), limits: limits, capacity: open.count,
                isRepeated: attempt > 0, isShared: store.isShared)
            for (place, index) in open.enumerated() {
                // The rest waits for the next group.
                if attempt == 0, plan.nameCount >= Self.namesAtOnce {
                    open.removeLast(open.count - place)
                    break
                }
                let asked = commands[index]
                store.view.withTable { plan.add(asked.command, by: asked.requester, now: now, table: $0) }
            }
            if attempt == 0 { outcomes = Array(repeating: nil, count: open.count) }
            let results = await store.commit(plan.changes, time: time)
            counters.storing.add(now.monotonic.duration(to: time.now().monotonic))
            publishChanges()
            for (index, outcome) in zip(open, plan.outcomes(results)) { outcomes[index] = outcome }
            open.removeAll { outcomes[$0] != nil }
            // Before anybody is answered: the group's own commit may have brought in other nodes' changes.
            adoptOutsideChanges()
        }
        forgetWithdrawn(commands, outcomes)
        return outcomes.map { $0 ?? .failure(Self.contended) }
    }

    /// Takes in results of checks that could not be stored: DNS must not wait for the storage to leave out a dead
    /// instance. They are stored later.
    private func hold(
        _ commands: [Asked], _ outcomes: [Result<CommandOutcome, StoreUnavailable>]
    ) -> [Result<CommandOutcome, StoreUnavailable>] {
        var outcomes = outcomes
        var hasHeld = false
        for (index, asked) in zip(outcomes.indices, commands) {
            guard case .failure = outcomes[index], case .report(let id, let report) = asked.command,
                report.origin == .checker
            else { continue }
            hasHeld = true
            let now = time.now().wall
            let held = store.view.withTable { table -> RegisteredInstance? in
                guard var registered = table.instance(id: id) else { return nil }
                if registered.hold(report, now: now) {
                    table.setHealth(registered.health, of: id, because: report.reason)
                }
                return registered
            }
            if held?.health.unstored.isEmpty == false { unstored.insert(id) }
            outcomes[index] = .success(held.map { .reported($0) } ?? .unknownInstance)
        }
        if hasHeld { publishChanges() }
        return outcomes
    }

    /// Forgets instances that were to be deregistered or drained, but have expired: nor shall their names answer with
    /// them.
    private func forgetWithdrawn(
        _ commands: [Asked], _ outcomes: [Result<CommandOutcome, StoreUnavailable>?]
    ) {
        guard !publisher.lastKnown.isEmpty else { return }
        for (asked, outcome) in zip(commands, outcomes) {
            guard case .success(.unknownInstance) = outcome else { continue }
            switch asked.command {
            case .deregister(let id): forgetWithdrawn(id, asked.requester)
            case .patch(let id, let patch) where patch.isDraining == true: forgetWithdrawn(id, asked.requester)
            default: continue
            }
        }
        publishLastKnown()
    }

    private func forgetWithdrawn(_ id: String, _ requester: Requester?) {
        publisher.lastKnown.forget(id: id) { requester?.mayChange($0) ?? true }
    }

    /// Forgets expired instances that somebody drains, and returns when no name answers them.
    func forgetExpired(ofService service: String?, where isSuch: @Sendable (ServiceInstance) -> Bool) {
        guard !publisher.lastKnown.isEmpty else { return }
        publisher.lastKnown.forgetExpired(ofService: service, where: isSuch)
        publishLastKnown()
    }

    /// Ends that names of a service answer their last known instances.
    ///
    /// - Returns: how many instances that were.
    func releaseLastKnown(_ service: String) -> Int {
        let count = publisher.endLastKnown(of: service, because: .released)
        publishLastKnown()
        return count
    }

    /// Publishes services of which nothing but the last known instances has changed.
    private func publishLastKnown() {
        while publisher.lastKnown.hasChanged {
            let services = publisher.lastKnown.changedServices(limit: Self.servicesAtOnce)
            do {
                try publisher.publishLastKnown(of: services, now: time.now())
                generation.store(publisher.generation, ordering: .relaxed)
            } catch {
                note(error)
                for service in services { publish(services: [service]) }
            }
        }
        noteLastKnown()
    }

    /// Tells of names that have begun or ended to answer their last known instances.
    private func noteLastKnown() {
        let turns = publisher.takeTurns()
        if turns.isEmpty { return }
        lastKnownCount.store(publisher.lastKnown.answeredCount, ordering: .relaxed)
        lastKnownLog.note(turns)
    }

    /// Stores what could not be stored before.
    private func storeHeldResults() async {
        guard !unstored.isEmpty, store.state.isHealthy else { return }
        let ids = unstored.prefix(Self.resultsAtOnce).sorted()
        unstored.subtract(ids)
        let commands = ids.flatMap { id in
            (store.instance(id: id)?.health.unstored ?? []).compactMap { record in
                record.report.map { Asked(command: .report(id: id, $0)) }
            }
        }
        if !commands.isEmpty { _ = await carryOut(commands) }
        // Some may have failed again, or be left for the next time.
        for id in ids where store.instance(id: id)?.health.unstored.isEmpty == false { unstored.insert(id) }
    }

    /// Answers the requests that are done. If a part of a request was not stored, the client must send it again as a
    /// whole.
    ///
    /// - Parameter outcomes: those of the group's first commands, which were carried out.
    private func answer(_ group: [PendingCommit], _ outcomes: [Result<CommandOutcome, StoreUnavailable>]) {
        var rest = outcomes[...]
        var unfinished: [PendingCommit] = []
        for var request in group {
            let own = rest.prefix(request.rest.count)
            rest = rest.dropFirst(own.count)
            do throws(StoreUnavailable) {
                request.outcomes += try own.map { outcome throws(StoreUnavailable) in try outcome.get() }
                if !own.isEmpty { note(nil) }
                if request.rest.isEmpty {
                    request.continuation.resume(returning: .success(request.outcomes))
                } else {
                    unfinished.append(request)
                }
            } catch {
                // Nodes that get in each other's way are not a failure of the store.
                if error != Self.contended { note(error) }
                request.continuation.resume(returning: .failure(.storeUnavailable(error)))
            }
        }
        queue.putBack(unfinished)
    }

    private func carryOut(_ sweep: Sweep) async {
        do throws(StoreUnavailable) {
            // Whatever became of the rest, what has left the view is published.
            defer { publishChanges() }
            let expired = try await store.removeExpired(sweep, limit: Self.sweepLimit)
            // Also if nobody has left: a heartbeat or the brake may have changed an instance.
            publishChanges()
            if !expired.instances.isEmpty {
                note(nil)
            }
            // Check the state as well: nobody may have written since the store works again.
            if lastFailure != nil, store.state.isHealthy { note(nil) }
            if !expired.isComplete { queue.requestSweep(Sweep(now: sweep.now)) }
        } catch {
            note(error)
        }
    }

    private func adoptOutsideChanges() {
        store.adoptOutsideChanges(now: time.now())
        publishChanges()
    }

    /// Logs when the store begins to fail and when it works again, but not each failure.
    private func note(_ failure: StoreUnavailable?) {
        if failure != nil { counters.noteFailure() }
        guard failure != lastFailure else { return }
        if let failure {
            logger.error("changes can't be stored, writes are answered 503", metadata: ["error": "\(failure.reason)"])
        } else {
            logger.notice("storage keeps changes again")
        }
        lastFailure = failure
    }

    /// Publishes the changes that the table of instances has recorded, and then hands them over to the feed.
    private func publishChanges() {
        let (changes, policies) = store.view.withTable { ($0.journal.take(), $0.journal.takePolicies()) }
        publisher.noteDepartures(changes, now: time.now())
        // Before anybody is told of them; what services have now is published with them.
        if !policies.isEmpty { publish(policies) }
        var rest = changes[...]
        var restOfPolicies = policies[...]
        while !rest.isEmpty {
            var nameCount = 0
            let changes = rest.prefix { change in
                defer { nameCount += change.nameCount }
                return nameCount < Self.namesAtOnce
            }
            rest = rest.dropFirst(changes.count)
            publish(changes.filter(\.isSeenInDNS))
            let end = rest.first?.index ?? .max
            let own = restOfPolicies.prefix { $0.index < end }
            restOfPolicies = restOfPolicies.dropFirst(own.count)
            handOver(changes, own)
        }
        handOver([], restOfPolicies)
        noteBrakes()
        publishLastKnown()
        awaitGraceEnd()
    }

    private func publish(_ changes: [InstanceChange]) {
        if changes.isEmpty { return }
        do {
            let now = time.now()
            try publisher.publish(changes, now: now) { store.instances(ofService: $0) }
            generation.store(publisher.generation, ordering: .relaxed)
            counters.publishing.add(now.monotonic.duration(to: time.now().monotonic))
        } catch {
            note(error)
            let instances = changes.flatMap { [$0.old, $0.new] }.compactMap { $0?.instance }
            for service in Set(instances.map(\.name)) { publish(services: [service]) }
        }
    }

    /// Tells the feed's readers, and all who wait, of changes that DNS answers with.
    private func handOver(_ changes: ArraySlice<InstanceChange>, _ policies: ArraySlice<PolicyChange>) {
        var all = changes.compactMap { FeedChange($0) }
        if !policies.isEmpty {
            all += policies.map { FeedChange($0) }
            all.sort { $0.index < $1.index }
        }
        listeners.tell(changes, policies)
        guard let last = all.last?.index else { return }
        feed.append(all, time: time.now().wall)
        // Before readers are told: what they then ask for is said to be as new.
        publication.advance(to: last)
        feed.wakeReaders()
    }

    /// Notes which brakes are in force, and logs those that have begun or ended.
    private func noteBrakes() {
        let held = store.view.withTable { $0.held }
        if held.isEmpty, publisher.protections.isEmpty, brakes.isEmpty { return }
        let expiries = held.map { name, held in
            BrakeInForce(
                kind: .massExpiry, name: name, since: held.since, until: held.until,
                reason: "\(held.count) instances fell silent at once: they stay for one more ttl")
        }
        let protections = publisher.protections.map { name, protection in
            BrakeInForce(
                kind: .protection, name: name, since: protection.since,
                reason: "\(protection.healthy) of \(protection.total) instances were healthy: "
                    + "critical ones are answered too")
        }
        let (begun, ended) = brakes.replace(with: expiries + protections)
        for brake in begun {
            logger.warning(
                "a service is kept from being wrongly empty",
                metadata: ["name": "\(brake.name)", "brake": "\(brake.kind.rawValue)", "reason": "\(brake.reason)"])
        }
        for brake in ended {
            let end =
                switch brake.kind {
                case .massExpiry: "they were heard from, released or deregistered, or the ttl is over"
                case .protection: "enough instances are healthy again, or the policy is another"
                }
            logger.notice(
                "a service is no longer kept from being wrongly empty",
                metadata: ["name": "\(brake.name)", "brake": "\(brake.kind.rawValue)", "reason": "\(end)"])
        }
    }

    /// Publishes the services that have another policy.
    private func publish(_ policies: [PolicyChange]) {
        let names = Set(policies.map(\.name)).sorted()
        let present = store.view.withTable { $0.policies }
        publisher.adopt(Dictionary(uniqueKeysWithValues: names.map { ($0, present[$0]) }))
        var rest = names[...]
        while !rest.isEmpty {
            publish(services: Array(rest.prefix(Self.servicesAtOnce)))
            rest = rest.dropFirst(Self.servicesAtOnce)
        }
        // A grace time that is shorter now may be over.
        endGraces()
    }

    /// Publishes the final content of names whose grace time is over.
    private func endGraces() {
        awaitedGraceEnd = nil
        do {
            // If more are due, the timer set below fires at once, so that other work gets its turn in between.
            _ = try publisher.endGraces(now: time.now(), limit: Self.namesAtOnce)
            generation.store(publisher.generation, ordering: .relaxed)
        } catch {
            note(error)
            for service in publisher.uncertainServices { publish(services: [service]) }
        }
        noteLastKnown()
        awaitGraceEnd()
    }

    private func awaitGraceEnd() {
        let now = time.now()
        guard let end = publisher.nextGraceEnd(now: now), awaitedGraceEnd.map({ end < $0 }) ?? true else { return }
        awaitedGraceEnd = end
        timers.once(after: max(now.monotonic.duration(to: end), .zero)) { [queue] in queue.requestGraceEnd() }
    }

    /// Publishes services as a whole.
    private func publish(services: [String], isStart: Bool = false) {
        do {
            try publisher.publish(services, isStart: isStart, now: time.now()) { store.instances(ofService: $0) }
            generation.store(publisher.generation, ordering: .relaxed)
        } catch {
            note(error)
            guard services.count > 1 else { return }
            for service in services { publish(services: [service], isStart: isStart) }
        }
    }

    /// Nothing that a client sends leads here: names and records were checked at registration. One bad service must not
    /// keep the others of its group out of DNS, so each is published separately afterwards.
    private func note(_ error: EngineError) {
        logger.critical("the zone was not published", metadata: ["error": "\(error)"])
    }
}
