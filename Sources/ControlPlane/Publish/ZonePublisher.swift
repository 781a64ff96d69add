import Engine

/// Keeps the zone in step with the registry.
struct ZonePublisher: Sendable {
    private let sink: any ZoneSink
    private let policy: RecordPolicy
    /// The names that each service has in the zone, for those that it has no longer.
    private var published = ShardedDictionary<ServiceNames>()
    private var serial: UInt32 = 0
    /// The zone's generation after the last publication.
    private(set) var generation: UInt64 = 0

    /// Publishes to `sink`, nothing yet.
    init(sink: any ZoneSink, policy: RecordPolicy) {
        self.sink = sink
        self.policy = policy
    }

    /// Publishes the records of services, in one update; returns when every DNS worker answers with them.
    ///
    /// - Parameter instances: the instances of a service in the order of their registration.
    mutating func publish(
        _ services: some Collection<String>,
        now: WallTime,
        instances: (String) -> [ServiceInstance]
    ) throws(EngineError) {
        var changes: [NameChange] = []
        changes.reserveCapacity(services.count * 2)
        var names: [(service: String, names: ServiceNames)] = []
        names.reserveCapacity(services.count)
        for service in services {
            let instances = instances(service)
            let present = ServiceNames(instances)
            let absent = (published[service] ?? ServiceNames()).subtracting(present)
            for name in absent.relativeNames(of: service) {
                changes.append(NameChange(name: name, content: .absent))
            }
            changes += ServiceRecords.changes(service: service, instances: instances, policy: policy)
            names.append((service, present))
        }
        // The Unix time, as far as it fits and does not go back (RFC 1982).
        serial = max(serial, UInt32(truncatingIfNeeded: now.secondsSince1970))
        generation = try sink.publish(ZoneUpdate(serial: serial, changes: changes))
        for (service, present) in names {
            published[service] = present.isEmpty ? nil : present
        }
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
    init(_ instances: [ServiceInstance]) {
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
