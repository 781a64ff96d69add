import Engine

/// Keeps the zone in step with the registry.
///
/// A service of few instances is made anew with each change; what the names of a ``LargeService`` answer is kept.
struct ZonePublisher: Sendable {
    private let sink: any ZoneSink
    private let policy: RecordPolicy
    /// The names that services of few instances have in the zone, for those that they have no longer.
    private var published = ShardedDictionary<PublishedNames>()
    private var large: [String: LargeService] = [:]
    /// The names that services may have in the zone, where that is not certain after a publication that failed.
    private var uncertain: [String: Set<String>] = [:]
    private var reverse: ReverseNames
    private var grace: EmptyGrace
    private var serial: UInt32 = 0
    /// The zone's generation after the last publication.
    private(set) var generation: UInt64 = 0

    /// Publishes to `sink`, nothing yet.
    init(sink: any ZoneSink, policy: RecordPolicy, reverse: ReverseNames = ReverseNames()) {
        self.sink = sink
        self.reverse = reverse
        self.policy = policy
        grace = EmptyGrace(policy.emptyGrace)
    }

    /// Publishes all records of services, in one update; returns when every DNS worker answers with them.
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

    /// Publishes what changes of instances do to records, in one update; returns when every DNS worker answers with
    /// them.
    ///
    /// - Parameters:
    ///   - changes: the next ones, in order.
    ///   - instances: the instances of a service in the order of their registration, as they are by now: after these
    ///     changes, and maybe some of the next.
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
                large[new.name]?.change(new.sequence, to: PublishedInstance(registered))
            }
        }
        var update = Update()
        for service in services {
            if let count = large[service]?.count, count >= LargeService.fewInstances {
                let changes = large[service]?.takeChanges() ?? []
                update.add(service, settled(changes, of: service, lost: large[service]?.lost ?? [], now))
            } else {
                renew(service, instances(service), now, in: &update)
            }
        }
        try send(update, now)
    }

    // MARK: Names that have become empty

    /// When ``endGraces(now:limit:)`` is to be called next; `nil`: not before something else is published.
    func nextGraceEnd(now: Moment) -> ContinuousClock.Instant? {
        grace.isOverfull ? now.monotonic : grace.nextEnd
    }

    /// Publishes names that have been empty for long enough as what they are.
    ///
    /// - Parameter limit: how many at most.
    /// - Returns: how many.
    mutating func endGraces(now: Moment, limit: Int) throws(EngineError) -> Int {
        let due = grace.takeDue(now: now.monotonic, limit: limit)
        guard !due.isEmpty else { return 0 }
        var update = Update()
        update.changes = due.map {
            NameChange(name: $0.text, content: has($0) ? policy.onEmpty : .absent)
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

    /// Services that are to be published as a whole, since the zone has not taken what it was given.
    var uncertainServices: [String] { Array(uncertain.keys) }

    private func has(_ name: EmptyGrace.Name) -> Bool {
        large[name.service]?.has(name.text) ?? published[name.service]?.present.has(name.text, of: name.service)
            ?? false
    }

    /// The same changes, with failures for names that have become empty a short while ago.
    ///
    /// - Parameter lost: names that have become empty now.
    private mutating func settled(
        _ changes: [NameChange], of service: String, lost: [String], _ now: Moment
    ) -> [NameChange] {
        grace.begin(lost, of: service, now: now.monotonic)
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
        /// The services that it changes, and where in `changes` each begins.
        var services: [(service: String, start: Int)] = []
        /// What services are that are published as a whole.
        var names: [String: PublishedNames] = [:]
        var large: [String: LargeService] = [:]

        mutating func add(_ service: String, _ added: [NameChange]) {
            services.append((service, changes.count))
            changes += added
        }
    }

    /// Adds all names of a service, and those that it has no longer.
    private mutating func renew(
        _ service: String, _ instances: [RegisteredInstance], _ now: Moment, in update: inout Update
    ) {
        let instances = instances.map { PublishedInstance($0) }
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
            var renewed = LargeService(service, instances, policy: policy)
            changes += renewed.takeChanges()
            update.large[service] = renewed
            if grace.isOn { lost = answered(by: service).filter { !renewed.answered.contains($0) } }
        } else {
            changes += ServiceRecords.changes(service: service, instances: instances, policy: policy)
            update.names[service] = names
            if grace.isOn {
                if let large = large[service] {
                    lost = Array(large.answered.subtracting(names.answered.relativeNames(of: service)))
                } else {
                    lost = before.answered.subtracting(names.answered).relativeNames(of: service)
                }
            }
        }
        update.add(service, settled(changes, of: service, lost: lost, now))
    }

    /// The names of a service that had a record in the last publication.
    private func answered(by service: String) -> [String] {
        if let large = large[service] { return Array(large.answered) }
        return published[service]?.answered.relativeNames(of: service) ?? []
    }

    private mutating func send(_ update: Update, _ now: Moment) throws(EngineError) {
        // The Unix time, as far as it fits and does not go back (RFC 1982).
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

    /// Has a service be published as a whole the next time, since the zone has not taken what it was given.
    private mutating func forget(_ service: String, names: [String]) {
        uncertain[service, default: large[service]?.names ?? []].formUnion(names)
        large[service] = nil
    }
}

/// The names of a service that is published.
struct PublishedNames: Sendable, Equatable {
    /// All that it has.
    var present = ServiceNames()
    /// Those that have a healthy instance, and so records.
    var answered = ServiceNames()

    /// None.
    init() {}

    /// All that a service with these instances has.
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
    /// Sorted.
    private var tags: [String] = []

    /// None.
    init() {}

    /// All that a service with these instances has.
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

    /// Whether there is none.
    var isEmpty: Bool { !exists }

    /// Whether a name relative to the zone's origin is one of them.
    func has(_ name: String, of service: String) -> Bool {
        if name == service { return exists }
        if name == TransportProtocol.tcp.relativeName(of: service) { return hasTCP }
        if name == TransportProtocol.udp.relativeName(of: service) { return hasUDP }
        return name.hasSuffix(".\(service)") && tags.contains(String(name.dropLast(service.count + 1)))
    }

    /// The names that are here and not in `others`.
    func subtracting(_ others: ServiceNames) -> ServiceNames {
        var rest = self
        rest.exists = exists && !others.exists
        rest.hasTCP = hasTCP && !others.hasTCP
        rest.hasUDP = hasUDP && !others.hasUDP
        // Mostly they are the same.
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
    /// The name of a service's SRV records of this transport (RFC 2782): `_orders._tcp`; `nil` for a service of 63
    /// octets, for which the underscore leaves no room in a label.
    func relativeName(of service: String) -> String? {
        service.utf8.count < 63 ? "_\(service)._\(rawValue)" : nil
    }
}
