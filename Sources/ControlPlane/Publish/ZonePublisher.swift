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
    private var published = ShardedDictionary<PublishedNames>()
    private var large: [String: LargeService] = [:]
    /// The names that services may have in the zone, after a failed publication left that uncertain.
    private var uncertain: [String: Set<String>] = [:]
    private var reverse: ReverseNames
    private var grace: EmptyGrace
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
    private func policy(of service: String) -> RecordPolicy {
        policies.isEmpty ? settings : settings.with(policies[service])
    }

    /// Takes in policies of services, `nil` for none. To be followed by ``publish(_:now:instances:)`` for these
    /// services, and ``endGraces(now:limit:)``.
    mutating func adopt(_ changes: [String: ServicePolicy?]) {
        for (service, policy) in changes { policies[service] = policy }
        if grace.isEmpty { return }
        grace.change(Dictionary(uniqueKeysWithValues: changes.keys.map { ($0, policy(of: $0).emptyGrace) }))
    }

    /// Publishes all records of services in one update; returns when every DNS worker answers with them.
    ///
    /// - Parameter instances: the instances of a service in the order of their registration.
    mutating func publish(
        _ services: some Collection<String>, now: Moment, instances: (String) -> [RegisteredInstance]
    ) throws(EngineError) {
        var update = Update()
        for service in services {
            let instances = instances(service)
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

    // MARK: Explanations

    /// What decides about the records of a name besides its instances.
    struct NameState: Sendable {
        /// The settings for its service.
        var policy: RecordPolicy
        /// Whether critical instances of its service are answered too.
        var isProtected: Bool
        /// When its grace time ends; `nil`: it is in none.
        var graceEnd: ContinuousClock.Instant?
    }

    /// What decides about the records of a name of a service.
    func state(of name: String, ofService service: String) -> NameState {
        NameState(
            policy: policy(of: service), isProtected: protections[service] != nil, graceEnd: grace.end(of: name))
    }

    // MARK: Names that have become empty

    /// When to call ``endGraces(now:limit:)`` next; `nil`: not before another publication.
    func nextGraceEnd(now: Moment) -> ContinuousClock.Instant? {
        grace.isOverfull ? now.monotonic : grace.nextEnd
    }

    /// Publishes the final content of names whose grace time is over.
    ///
    /// - Parameter limit: how many at most.
    /// - Returns: how many.
    mutating func endGraces(now: Moment, limit: Int) throws(EngineError) -> Int {
        let due = grace.takeDue(now: now.monotonic, limit: limit)
        guard !due.isEmpty else { return 0 }
        var update = Update()
        update.changes = due.map {
            NameChange(name: $0.text, content: has($0) ? policy(of: $0.service).onEmpty : .absent)
        }
        do throws(EngineError) {
            try send(update, now)
        } catch {
            for name in due {
                uncertain[name.service, default: large[name.service]?.names ?? []].insert(name.text)
            }
            throw error
        }
        return due.count
    }

    /// Services that must be published as a whole, because the zone refused an update.
    var uncertainServices: [String] { Array(uncertain.keys) }

    private func has(_ name: EmptyGrace.Name) -> Bool {
        large[name.service]?.has(name.text) ?? published[name.service]?.present.has(name.text, of: name.service)
            ?? false
    }

    /// The same changes, but names in their grace time become failures.
    ///
    /// - Parameter lost: names that have just lost their last healthy instance.
    private mutating func settled(
        _ changes: [NameChange], of service: String, lost: [String], _ now: Moment
    ) -> [NameChange] {
        if !lost.isEmpty { grace.begin(lost, of: service, for: policy(of: service).emptyGrace, now: now.monotonic) }
        guard !grace.isEmpty else { return changes }
        var settled = changes
        for index in settled.indices {
            if settled[index].content.isAnswered {
                grace.leave(settled[index].name)
            } else if grace.contains(settled[index].name) {
                settled[index].content = .failure
            }
        }
        return settled
    }

    // MARK: One publication

    /// One publication.
    private struct Update {
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
        _ service: String, _ instances: [RegisteredInstance], _ now: Moment, in update: inout Update
    ) {
        let policy = policy(of: service)
        let isProtected = noteProtection(of: service, instances, policy, now)
        let instances = instances.map { PublishedInstance($0, policy, isProtected: isProtected) }
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
            if policy.emptyGrace > .zero { lost = answered(by: service).filter { !renewed.answered.contains($0) } }
        } else {
            changes += ServiceRecords.changes(service: service, instances: instances, policy: policy)
            update.names[service] = names
            if policy.emptyGrace > .zero {
                if let large = large[service] {
                    lost = Array(large.answered.subtracting(names.answered.relativeNames(of: service)))
                } else {
                    lost = before.answered.subtracting(names.answered).relativeNames(of: service)
                }
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

    private mutating func send(_ update: Update, _ now: Moment) throws(EngineError) {
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

/// The names of a published service.
struct PublishedNames: Sendable, Equatable {
    /// All its names.
    var present = ServiceNames()
    /// The names that have a healthy instance, and so records.
    var answered = ServiceNames()

    /// No names.
    init() {}

    /// All names of a service with these instances.
    init(_ instances: [PublishedInstance]) {
        present = ServiceNames(instances)
        answered = instances.allSatisfy(\.isHealthy) ? present : ServiceNames(instances.filter(\.isHealthy))
    }
}

/// Some of the names that a service can have.
struct ServiceNames: Sendable, Equatable {
    private var exists = false
    private var hasTCP = false
    private var hasUDP = false
    /// Tags in order.
    private var tags: [String] = []

    /// No names.
    init() {}

    /// All names of a service with these instances.
    init(_ instances: [PublishedInstance]) {
        var tags: Set<String> = []
        for instance in instances {
            exists = true
            switch instance.transport {
            case .tcp: hasTCP = true
            case .udp: hasUDP = true
            }
            tags.formUnion(instance.tags)
        }
        self.tags = tags.sorted()
    }

    /// Whether there are no names.
    var isEmpty: Bool { !exists }

    /// Whether it has a name, given relative to the zone's origin.
    func has(_ name: String, of service: String) -> Bool {
        if name == service { return exists }
        if name == TransportProtocol.tcp.relativeName(of: service) { return hasTCP }
        if name == TransportProtocol.udp.relativeName(of: service) { return hasUDP }
        return name.hasSuffix(".\(service)") && tags.contains(String(name.dropLast(service.count + 1)))
    }

    /// The names that are not in `others`.
    func subtracting(_ others: ServiceNames) -> ServiceNames {
        var rest = self
        rest.exists = exists && !others.exists
        rest.hasTCP = hasTCP && !others.hasTCP
        rest.hasUDP = hasUDP && !others.hasUDP
        // Usually the tags are the same.
        if !tags.isEmpty { rest.tags = tags == others.tags ? [] : Set(tags).subtracting(others.tags).sorted() }
        return rest
    }

    /// The names relative to the zone's origin.
    func relativeNames(of service: String) -> [String] {
        var names = tags.map { "\($0).\(service)" }
        if exists { names.append(service) }
        if hasTCP, let name = TransportProtocol.tcp.relativeName(of: service) { names.append(name) }
        if hasUDP, let name = TransportProtocol.udp.relativeName(of: service) { names.append(name) }
        return names
    }
}

extension TransportProtocol {
    /// The name of a service's SRV records for this transport (RFC 2782): `_orders._tcp`; `nil` for a service of 63
    /// octets, which leaves no room for the underscore in the label.
    func relativeName(of service: String) -> String? {
        service.utf8.count < 63 ? "_\(service)._\(rawValue)" : nil
    }
}
