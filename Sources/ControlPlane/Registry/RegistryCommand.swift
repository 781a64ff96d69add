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
