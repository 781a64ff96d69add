import Engine

/// Keeps the zone in step with the registry.
///
/// The records of a service with few instances are made again for each change; those of a ``LargeService`` are kept.
struct ZonePublisher: Sendable {
    private let sink: any ZoneSink
    /// The settings for services without a policy.
    private let settings: RecordPolicy
    private var policies: [String: ServicePolicy] = [:]
    /// Services whose critical instances are answered too.
    private(set) var protections: [String: Protection] = [:]
    /// The names in the zone of services with few instances, in order to remove those that are no longer needed.
    var published = ShardedDictionary<PublishedNames>()
    var large: [String: LargeService] = [:]
    /// The names that services may have in the zone, after a failed publication left that uncertain.
    var uncertain: [String: Set<String>] = [:]
    private var reverse: ReverseNames
    var grace: EmptyGrace
    var lastKnown = LastKnown()
    /// How many policies say that a service answers its last known instances.
    private var lastKnownPolicyCount = 0
    /// Services that answer their last known instances by another policy: what they had before is not known.
    private var unseen: Set<String> = []
    /// What names have begun or ended to answer their last known instances since the last ``takeTurns()``.
    var turns: [LastKnownTurn] = []
    private var serial: UInt32 = 0
    /// The zone's generation after the last publication.
    private(set) var generation: UInt64 = 0

    /// Publishes to `sink`; begins with nothing published.
    init(sink: any ZoneSink, policy: RecordPolicy, reverse: ReverseNames = ReverseNames()) {
        self.sink = sink
        self.reverse = reverse
        settings = policy
        grace = EmptyGrace(policy.emptyGrace)
    }

    /// A service of which so few instances are healthy that critical ones are answered too.
    struct Protection: Sendable, Equatable {
        /// When that began.
        var since: WallTime
        /// How many were healthy then.
        var healthy: Int
        /// How many were healthy or critical then.
        var total: Int
    }

    /// The settings for a service.
    func policy(of service: String) -> RecordPolicy {
        policies.isEmpty ? settings : settings.with(policies[service])
    }

    /// Takes in policies of services, `nil` for none. To be followed by ``publish(_:now:instances:)`` for these
    /// services, and ``endGraces(now:limit:)``.
    ///
    /// - Parameter isStart: whether nothing was published before. Then only services with instances are published.
    mutating func adopt(_ changes: [String: ServicePolicy?], isStart: Bool = false) {
        for (service, policy) in changes {
            let wasLastKnown = self.policy(of: service).answersLastKnown
            if policies[service]?.onEmpty == .lastKnown { lastKnownPolicyCount -= 1 }
            policies[service] = policy
            if policy?.onEmpty == .lastKnown { lastKnownPolicyCount += 1 }
            let isLastKnown = self.policy(of: service).answersLastKnown
            if isLastKnown, !wasLastKnown, !isStart { unseen.insert(service) }
            if !isLastKnown { unseen.remove(service) }
            if !isLastKnown, wasLastKnown { endLastKnown(of: service, because: .policy) }
            // Names whose instances have all expired are not among those that a publication makes anew.
            if isLastKnown { lastKnown.noteChange(of: service) }
        }
        if grace.isEmpty { return }
        grace.change(Dictionary(uniqueKeysWithValues: changes.keys.map { ($0, policy(of: $0).emptyGrace) }))
    }

    /// Publishes all records of services in one update; returns when every DNS worker answers with them.
    ///
    /// - Parameters:
    ///   - isStart: whether these services have not been published before, as after a start.
    ///   - instances: the instances of a service in the order of their registration.
    mutating func publish(
        _ services: some Collection<String>, isStart: Bool = false, now: Moment,
        instances: (String) -> [RegisteredInstance]
    ) throws(EngineError) {
        var update = Update()
        for service in services {
            let instances = instances(service)
            if isStart, policy(of: service).answersLastKnown { unseen.insert(service) }
            renew(service, instances, now, in: &update)
            reverse.replace(service, by: instances)
        }
        try send(update, now)
    }

    /// Publishes how changes of instances affect records, in one update; returns when every DNS worker answers with
    /// them.
    ///
    /// - Parameters:
    ///   - changes: the next changes, in order.
    ///   - instances: the present instances of a service in the order of their registration: they reflect these
    ///     changes, and maybe some later ones.
    mutating func publish(
        _ changes: [InstanceChange], now: Moment, instances: (String) -> [RegisteredInstance]
    ) throws(EngineError) {
        var services: Set<String> = []
        for change in changes {
            let new = change.new?.instance
            if let old = change.old?.instance {
                services.insert(old.name)
                if new?.sequence != old.sequence { reverse.change(old.sequence, to: nil) }
                if new?.name != old.name { large[old.name]?.change(old.sequence, to: nil) }
            }
            if let new, let registered = change.new {
                services.insert(new.name)
                reverse.change(new.sequence, to: new)
                if let service = large[new.name] {
                    let published = PublishedInstance(registered, service.policy, isProtected: service.isProtected)
                    large[new.name]?.change(new.sequence, to: published)
                }
            }
        }
        var update = Update()
        for service in services {
            if large[service]?.isLarge == true {
                let changes = large[service]?.takeChanges() ?? []
                update.add(service, settled(changes, of: service, lost: large[service]?.lost ?? [], now))
            } else {
                renew(service, instances(service), now, in: &update)
            }
        }
        try send(update, now)
    }

    /// Whether some service answers its last known instances, or would.
    var usesLastKnown: Bool { settings.answersLastKnown || lastKnownPolicyCount > 0 || !lastKnown.isEmpty }

    // MARK: Explanations

    /// What decides about the records of a name besides its instances.
    struct NameState: Sendable {
        /// The settings for its service.
        var policy: RecordPolicy
        /// Whether critical instances of its service are answered too.
        var isProtected: Bool
        /// When its grace time ends; `nil`: it is in none.
        var graceEnd: ContinuousClock.Instant?
        /// The last known instances that it answers; `nil`: it does not.
        var lastKnown: LastKnownState?
    }

    /// What decides about the records of a name of a service.
    func state(of name: String, ofService service: String) -> NameState {
        NameState(
            policy: policy(of: service), isProtected: protections[service] != nil, graceEnd: grace.end(of: name),
            lastKnown: lastKnownState(of: name, ofService: service))
    }

    // MARK: Names that have become empty

    /// When to call ``endGraces(now:limit:)`` next; `nil`: not before another publication.
    func nextGraceEnd(now: Moment) -> ContinuousClock.Instant? {
        if grace.isOverfull || lastKnown.isOverfull { return now.monotonic }
        let ends = [grace.nextEnd, lastKnown.nextEnd].compactMap(\.self)
        return ends.min()
    }

    /// Publishes the final content of names whose grace time is over, or that have answered their last known instances
    /// for long enough.
    ///
    /// - Parameter limit: how many at most.
    /// - Returns: how many.
    mutating func endGraces(now: Moment, limit: Int) throws(EngineError) -> Int {
        let over = takeLastKnownDue(now: now.monotonic, limit: limit)
        let due = grace.takeDue(now: now.monotonic, limit: limit)
        guard !due.isEmpty || !over.isEmpty else { return 0 }
        var update = Update()
        // Names with a grace time that is as long have it first.
        let ended = over.filter { !grace.contains($0.text) }
        update.changes = (ended + due).map { NameChange(name: $0.text, content: finalContent(of: $0)) }
        answerLastKnown(due, in: &update.changes, from: ended.count, now)
        do throws(EngineError) {
            try send(update, now)
        } catch {
            for name in ended + due {
                uncertain[name.service, default: large[name.service]?.names ?? []].insert(name.text)
            }
            throw error
        }
        return due.count + over.count
    }

    /// Services that must be published as a whole, because the zone refused an update.
    var uncertainServices: [String] { Array(uncertain.keys) }

    /// What a name answers in the end that has no healthy instance.
    func finalContent(of name: EmptyGrace.Name) -> NameContent {
        let isPresent =
            large[name.service]?.has(name.text) ?? published[name.service]?.present.has(name.text, of: name.service)
        return isPresent == true ? policy(of: name.service).onEmpty : .absent
    }

    /// The same changes, but names in their grace time become failures, and others may answer what they had last.
    ///
    /// - Parameter lost: names that have just lost their last healthy instance.
    mutating func settled(
        _ changes: [NameChange], of service: String, lost: [String], _ now: Moment
    ) -> [NameChange] {
        if !lost.isEmpty {
            let policy = policy(of: service)
            grace.begin(lost, of: service, for: policy.emptyGrace, now: now.monotonic)
            if policy.answersLastKnown { lastKnown.begin(lost, of: service, now: now) }
        }
        guard !grace.isEmpty || !lastKnown.isEmpty else { return changes }
        var settled = changes
        for index in settled.indices {
            if settled[index].content.isAnswered {
                grace.leave(settled[index].name)
            } else if grace.contains(settled[index].name) {
                settled[index].content = .failure
            }
        }
        if lastKnown.concerns(service) { answerLastKnown(&settled, of: service, now) }
        return settled
    }

    // MARK: One publication

    /// One publication.
    struct Update {
        var changes: [NameChange] = []
        /// The services that it changes, and the index in `changes` at which each begins.
        var services: [(service: String, start: Int)] = []
        /// The new state of services that are published as a whole.
        var names: [String: PublishedNames] = [:]
        var large: [String: LargeService] = [:]

        mutating func add(_ service: String, _ added: [NameChange]) {
            services.append((service, changes.count))
            changes += added
        }
    }

    /// Adds all names of a service, and the removal of those that it no longer has.
    private mutating func renew(
        _ service: String, _ registered: [RegisteredInstance], _ now: Moment, in update: inout Update
    ) {
        let policy = policy(of: service)
        let wasProtected = protections[service] != nil
        let isProtected = noteProtection(of: service, registered, policy, now)
        let instances = registered.map { PublishedInstance($0, policy, isProtected: isProtected) }
        let names = PublishedNames(instances)
        let present = names.present
        let before = published[service] ?? PublishedNames()
        var absent = Set(before.present.subtracting(present).relativeNames(of: service))
        if let others = uncertain[service] ?? large[service]?.names {
            absent.formUnion(others.subtracting(present.relativeNames(of: service)))
        }
        var changes = absent.map { NameChange(name: $0, content: .absent) }
        var lost: [String] = []
        if instances.count > LargeService.manyInstances {
            var renewed = LargeService(service, instances, policy: policy, isProtected: isProtected)
            changes += renewed.takeChanges()
            update.large[service] = renewed
            if policy.hasTransition { lost = answered(by: service).filter { !renewed.answered.contains($0) } }
        } else {
            changes += ServiceRecords.changes(service: service, instances: instances, policy: policy)
            update.names[service] = names
            if policy.hasTransition {
                if let large = large[service] {
                    lost = Array(large.answered.subtracting(names.answered.relativeNames(of: service)))
                } else {
                    lost = before.answered.subtracting(names.answered).relativeNames(of: service)
                }
            }
        }
        if policy.answersLastKnown {
            if wasProtected, !isProtected { lastKnown.departed(registered.filter(\.isCritical), now) }
            if unseen.remove(service) != nil {
                let silent = names.present.subtracting(names.answered).relativeNames(of: service)
                lastKnown.begin(silent, of: service, with: registered.filter(\.isCritical), now: now)
            }
        }
        update.add(service, settled(changes, of: service, lost: lost, now))
    }

    /// Decides whether critical instances of a service are answered too, and notes it.
    private mutating func noteProtection(
        of service: String, _ instances: [RegisteredInstance], _ policy: RecordPolicy, _ now: Moment
    ) -> Bool {
        guard policy.protectThreshold > 0 else {
            protections[service] = nil
            return false
        }
        let healthy = instances.count(where: \.isHealthy)
        let critical = instances.count { $0.status == .critical }
        guard policy.protects(healthy: healthy, critical: critical) else {
            protections[service] = nil
            return false
        }
        if protections[service] == nil {
            protections[service] = Protection(since: now.wall, healthy: healthy, total: healthy + critical)
        }
        return true
    }

    /// The names of a service that had a record in the last publication.
    private func answered(by service: String) -> [String] {
        if let large = large[service] { return Array(large.answered) }
        return published[service]?.answered.relativeNames(of: service) ?? []
    }

    mutating func send(_ update: Update, _ now: Moment) throws(EngineError) {
        // Unix time, as long as it fits and does not go back (RFC 1982).
        serial = max(serial, UInt32(truncatingIfNeeded: now.wall.secondsSince1970))
        do throws(EngineError) {
            generation = try sink.publish(ZoneUpdate(serial: serial, changes: update.changes + reverse.changes))
            reverse.noteTold()
        } catch {
            for (index, each) in update.services.enumerated() {
                let end = index + 1 < update.services.count ? update.services[index + 1].start : update.changes.count
                forget(each.service, names: update.changes[each.start..<end].map(\.name))
            }
            throw error
        }
        for (service, _) in update.services {
            uncertain[service] = nil
            if let names = update.names[service] {
                published[service] = names.present.isEmpty ? nil : names
                large[service] = nil
            } else if let renewed = update.large[service] {
                large[service] = renewed
                published[service] = nil
            }
        }
    }

    /// Makes the next publication of a service a whole one, because the zone refused an update.
    private mutating func forget(_ service: String, names: [String]) {
        uncertain[service, default: large[service]?.names ?? []].formUnion(names)
        large[service] = nil
    }
}
