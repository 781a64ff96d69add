import Engine

/// What DNS needs to know of an instance.
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
    /// Whether DNS may answer with it.
    var isHealthy: Bool
    var tags: [String]

    /// What there is to know of an instance.
    init(_ registered: RegisteredInstance) {
        let instance = registered.instance
        sequence = instance.sequence
        address = instance.address
        port = instance.port
        transport = instance.transport
        weight = instance.weight
        priority = instance.priority
        dnsTTL = instance.dnsTTL
        isHealthy = registered.isHealthy
        tags = instance.tags
    }

    /// Whether it is answered only while no other of its priority group is there.
    var standsBy: Bool { weight == 0 }

    /// Where it listens.
    var endpoint: SocketAddress { SocketAddress(address, port: port) }

    /// Whether the names that both are under answer the same with either.
    func hasSameRecords(as other: PublishedInstance) -> Bool {
        var other = other
        other.tags = tags
        return self == other
    }

    /// The names relative to the zone's origin that it is under.
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
