import Engine

/// Keeps the zone in step with the registry.
///
/// A service of few instances is made anew with each change; what the names of a ``LargeService`` answer is kept.
struct ZonePublisher: Sendable {
    private let sink: any ZoneSink
    private let policy: RecordPolicy
    /// The names that services of few instances have in the zone, for those that they have no longer.
    private var published = ShardedDictionary<ServiceNames>()
    private var large: [String: LargeService] = [:]
    /// The names that services may have in the zone, where that is not certain after a publication that failed.
    private var uncertain: [String: Set<String>] = [:]
    private var reverse: ReverseNames
    private var serial: UInt32 = 0
    /// The zone's generation after the last publication.
    private(set) var generation: UInt64 = 0

    /// Publishes to `sink`, nothing yet.
    init(sink: any ZoneSink, policy: RecordPolicy, reverse: ReverseNames = ReverseNames()) {
        self.sink = sink
        self.reverse = reverse
        self.policy = policy
    }

    /// Publishes all records of services, in one update; returns when every DNS worker answers with them.
    ///
    /// - Parameter instances: the instances of a service in the order of their registration.
    mutating func publish(
        _ services: some Collection<String>, now: WallTime, instances: (String) -> [ServiceInstance]
    ) throws(EngineError) {
        var update = Update()
        for service in services {
            let instances = instances(service)
            renew(service, instances, in: &update)
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
        _ changes: [InstanceChange], now: WallTime, instances: (String) -> [ServiceInstance]
    ) throws(EngineError) {
        var services: Set<String> = []
        for change in changes {
            if let old = change.old {
                services.insert(old.name)
                if change.new?.sequence != old.sequence { reverse.change(old.sequence, to: nil) }
                if change.new?.name != old.name { large[old.name]?.change(old.sequence, to: nil) }
            }
            if let new = change.new {
                services.insert(new.name)
                reverse.change(new.sequence, to: new)
                large[new.name]?.change(new.sequence, to: PublishedInstance(new))
            }
        }
        var update = Update()
        for service in services {
            if let count = large[service]?.count, count >= LargeService.fewInstances {
                update.add(service, large[service]?.takeChanges() ?? [])
            } else {
                renew(service, instances(service), in: &update)
            }
        }
        try send(update, now)
    }

    /// One publication.
    private struct Update {
        var changes: [NameChange] = []
        /// The services that it changes, and where in `changes` each begins.
        var services: [(service: String, start: Int)] = []
        /// What services are that are published as a whole.
        var names: [String: ServiceNames] = [:]
        var large: [String: LargeService] = [:]

        mutating func add(_ service: String, _ added: [NameChange]) {
            services.append((service, changes.count))
            changes += added
        }
    }

    /// Adds all names of a service, and those that it has no longer.
    private func renew(_ service: String, _ instances: [ServiceInstance], in update: inout Update) {
        let instances = instances.map { PublishedInstance($0) }
        let present = ServiceNames(instances)
        var absent = Set((published[service] ?? ServiceNames()).subtracting(present).relativeNames(of: service))
        if let others = uncertain[service] ?? large[service]?.names {
            absent.formUnion(others.subtracting(present.relativeNames(of: service)))
        }
        var changes = absent.map { NameChange(name: $0, content: .absent) }
        if instances.count > LargeService.manyInstances {
            var renewed = LargeService(service, instances, policy: policy)
            changes += renewed.takeChanges()
            update.large[service] = renewed
        } else {
            changes += ServiceRecords.changes(service: service, instances: instances, policy: policy)
            update.names[service] = present
        }
        update.add(service, changes)
    }

    private mutating func send(_ update: Update, _ now: WallTime) throws(EngineError) {
        // The Unix time, as far as it fits and does not go back (RFC 1982).
        serial = max(serial, UInt32(truncatingIfNeeded: now.secondsSince1970))
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
                published[service] = names.isEmpty ? nil : names
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

/// The names that a service has in the zone.
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

    /// The names that are here and not in `others`.
    func subtracting(_ others: ServiceNames) -> ServiceNames {
        var rest = self
        rest.exists = exists && !others.exists
        rest.hasTCP = hasTCP && !others.hasTCP
        rest.hasUDP = hasUDP && !others.hasUDP
        if !tags.isEmpty { rest.tags = Set(tags).subtracting(others.tags).sorted() }
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
