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
