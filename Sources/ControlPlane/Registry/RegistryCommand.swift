/// A change of the registry that a client requests.
enum RegistryCommand: Sendable, Equatable {
    case register(Registration)
    case patch(id: String, InstancePatch)
    case deregister(id: String)
    /// The result of a check.
    case report(id: String, CheckReport)
    /// Removes an instance because a check has been critical for too long, if it is still what that was decided about.
    case expel(Expulsion)
    /// Removes an instance if the ``ExpiryBrake`` holds it.
    case release(id: String)
    /// Replaces the policy of a service as a whole; `nil`: removes it.
    case setPolicy(name: String, ServicePolicy?)
    /// Puts an instance of a backup in, in place of the one with its id, as it was; only its place in the order is new.
    case restore(ServiceInstance)
}

/// The result of a ``RegistryCommand``.
enum CommandOutcome: Sendable, Equatable {
    /// The instance is registered; `isNew`: its id was unknown.
    case registered(RegisteredInstance, isNew: Bool)
    case patched(RegisteredInstance)
    case deregistered
    /// The result of a check is taken in.
    case reported(RegisteredInstance)
    /// The instance has no such check.
    case unknownCheck
    case policySet
    case policyRemoved
    /// The service has no policy.
    case unknownPolicy
    /// There is no instance with that id.
    case unknownInstance
    /// The registry would exceed a limit.
    case refused(RegistryLimit)
    /// Whoever asks for it may not.
    case denied(Denial)
}

/// Why the registry can't accept a change now. The client may try again.
enum RegistryError: Error, Sendable, Equatable {
    /// Too many changes are waiting.
    case overloaded
    /// The store did not keep the change.
    case storeUnavailable(StoreUnavailable)
    /// The stored instances are not loaded yet.
    case loading
    /// The server is stopping.
    case stopping
}
