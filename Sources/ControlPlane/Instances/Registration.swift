import Engine

/// A registration as a client sent it: checked, in its stored form, with defaults filled in.
struct Registration: Sendable, Equatable {
    /// The id given, or the one derived from name, address, port and protocol.
    var id: String
    /// Whether no id was given.
    var hasDerivedID = false
    var name: String
    var address: IPAddress
    var port: UInt16
    var transport: TransportProtocol
    var tags: [String]
    var metadata: [MetadataEntry]
    var weight: UInt16
    var priority: UInt16
    var ttlSeconds: Int
    var dnsTTL: UInt32
    /// Whether no TTL was given for DNS.
    var hasDefaultDNSTTL = false
    var checks: [Check] = []
}

/// The changes that a client makes to an instance; `nil` leaves a field as it is.
struct InstancePatch: Sendable, Equatable {
    var weight: UInt16?
    var priority: UInt16?
    var tags: [String]?
    var metadata: [MetadataEntry]?
    var isDraining: Bool?

    /// `instance` with the changes applied.
    func applied(to instance: ServiceInstance) -> ServiceInstance {
        var instance = instance
        if let weight { instance.weight = weight }
        if let priority { instance.priority = priority }
        if let tags { instance.tags = tags }
        if let metadata { instance.metadata = metadata }
        if let isDraining { instance.isDraining = isDraining }
        return instance
    }
}
