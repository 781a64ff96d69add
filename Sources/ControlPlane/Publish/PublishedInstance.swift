import Engine

/// The part of an instance that DNS needs.
struct PublishedInstance: Sendable, Equatable {
    /// Its place among the records of a name.
    var sequence: UInt64
    var address: IPAddress
    var port: UInt16
    var transport: TransportProtocol
    var weight: UInt16
    var priority: UInt16
    /// In seconds.
    var dnsTTL: UInt32
    /// Whether DNS may answer with it: it is healthy, or its service is protected.
    var isHealthy: Bool
    /// Whether its checks fail.
    var isCritical = false
    var tags: [String]

    /// Takes that part of an instance.
    ///
    /// - Parameters:
    ///   - policy: the settings for its service.
    ///   - isProtected: whether critical instances of its service are answered too.
    init(_ registered: RegisteredInstance, _ policy: RecordPolicy = RecordPolicy(), isProtected: Bool = false) {
        let instance = registered.instance
        sequence = instance.sequence
        address = instance.address
        port = instance.port
        transport = instance.transport
        weight = instance.weight
        priority = instance.priority
        dnsTTL = instance.hasDefaultDNSTTL ? policy.defaultTTL ?? instance.dnsTTL : instance.dnsTTL
        let status = registered.status
        isCritical = status == .critical
        isHealthy = status == .passing || status == .warning || isCritical && isProtected
        tags = instance.tags
    }

    /// Whether it is answered only if its priority group has no instance with a higher weight.
    var standsBy: Bool { weight == 0 }

    /// Where it listens.
    var endpoint: SocketAddress { SocketAddress(address, port: port) }

    /// Whether names of both have the same records with either.
    func hasSameRecords(as other: PublishedInstance) -> Bool {
        var other = other
        other.tags = tags
        return self == other
    }

    /// Its names, relative to the zone's origin.
    func names(of service: String) -> [PublishedName] {
        var names = [PublishedName(text: service, hasAddresses: true)]
        names.reserveCapacity(tags.count + 2)
        if let name = transport.relativeName(of: service) {
            names.append(PublishedName(text: name, hasAddresses: false))
        }
        for tag in tags { names.append(PublishedName(text: "\(tag).\(service)", hasAddresses: true)) }
        return names
    }
}

/// A name in the zone.
struct PublishedName: Hashable, Sendable {
    /// Relative to the zone's origin.
    var text: String
    /// Whether it answers A and AAAA; all names answer SRV.
    var hasAddresses: Bool
}
