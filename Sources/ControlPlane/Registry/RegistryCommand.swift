import Engine

/// What a client registers: checked, in its stored form, with the defaults filled in.
struct Registration: Sendable, Equatable {
    /// The id given, or the one that follows from name, address, port and protocol.
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
}

/// What a client changes of an instance; `nil` stays as it is.
struct InstancePatch: Sendable, Equatable {
    var weight: UInt16?
    var priority: UInt16?
    var tags: [String]?
    var metadata: [MetadataEntry]?
    var isDraining: Bool?

    /// `instance` with the changes made.
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

/// A change of the registry that a client asks for.
enum RegistryCommand: Sendable, Equatable {
    case register(Registration)
    case patch(id: String, InstancePatch)
    case deregister(id: String)
}

/// What became of a ``RegistryCommand``.
enum CommandOutcome: Sendable, Equatable {
    /// Registered; `isNew`: the id was not known.
    case registered(RegisteredInstance, isNew: Bool)
    case patched(RegisteredInstance)
    case deregistered
    /// There is no instance with that id.
    case unknownInstance
    /// The registry would hold more than it may.
    case refused(RegistryLimit)
}

/// Why the registry can't take a change now. The client may try again.
enum RegistryError: Error, Sendable, Equatable {
    /// More changes are waiting than it holds.
    case overloaded
    /// The store does not keep the change.
    case storeUnavailable(StoreUnavailable)
    /// Nothing is loaded yet.
    case loading
    /// The server is about to end.
    case stopping
}
