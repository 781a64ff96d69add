/// A group of commands turned into changes of the store: pure, one for each group.
///
/// Commands see those before them in the group, though none is kept yet.
struct CommitPlan {
    /// How a command's outcome follows from what the store returns.
    private enum Step {
        case register(change: Int, isNew: Bool)
        case patch(change: Int)
        /// `change` is `nil` for an instance that somebody else took out meanwhile.
        case deregister(change: Int?)
        case unknownInstance
    }

    /// What the store is asked to keep, in order.
    private(set) var changes: [StoreChange] = []
    /// The services whose records change.
    private(set) var services: Set<String> = []
    private var steps: [Step] = []
    /// The last change of each id.
    private var lastChange: [String: Int] = [:]
    private var nextSequence: UInt64
    private let isRepeated: Bool

    /// An empty plan.
    ///
    /// - Parameters:
    ///   - nextSequence: the number for the first new instance.
    ///   - capacity: how many commands are going to be added.
    ///   - isRepeated: whether the commands were planned before, and met with a ``StoreResult/conflict``.
    init(nextSequence: UInt64, capacity: Int = 1, isRepeated: Bool = false) {
        self.nextSequence = nextSequence
        self.isRepeated = isRepeated
        changes.reserveCapacity(capacity)
        steps.reserveCapacity(capacity)
        lastChange.reserveCapacity(capacity)
    }

    /// Adds a command.
    ///
    /// - Parameter lookUp: the instance that the store has under an id.
    mutating func add(_ command: RegistryCommand, now: Moment, lookUp: (String) -> ServiceInstance?) {
        switch command {
        case .register(let given):
            let (registration, known) = identified(given, lookUp)
            let instance = ServiceInstance(
                registration,
                isDraining: known?.isDraining ?? false,
                registeredAt: known?.registeredAt ?? now.wall,
                sequence: known?.sequence ?? nextSequence
            )
            if known == nil { nextSequence += 1 }
            steps.append(.register(change: changes.count, isNew: known == nil))
            replace(known, by: instance, .register(instance))
        case .patch(let id, let patch):
            guard let known = instance(id, lookUp) else {
                steps.append(.unknownInstance)
                return
            }
            let instance = patch.applied(to: known)
            steps.append(.patch(change: changes.count))
            replace(known, by: instance, .update(instance))
        case .deregister(let id):
            guard let known = instance(id, lookUp) else {
                // Known at the first attempt: it is gone, as was asked for.
                steps.append(isRepeated ? .deregister(change: nil) : .unknownInstance)
                return
            }
            steps.append(.deregister(change: changes.count))
            lastChange[id] = changes.count
            changes.append(.deregister(id: id))
            services.insert(known.name)
        }
    }

    /// The outcomes of all commands, in order; `nil`: the command is to be planned anew.
    ///
    /// - Parameter results: what the store returned for the ``changes``.
    func outcomes(_ results: [StoreResult]) -> [Result<CommandOutcome, StoreUnavailable>?] {
        steps.map { step in
            switch step {
            case .register(let change, let isNew):
                Self.outcome(results[change]) { $0.map { .registered($0, isNew: isNew) } ?? .unknownInstance }
            case .patch(let change):
                Self.outcome(results[change]) { $0.map { .patched($0) } ?? .unknownInstance }
            case .deregister(let change?):
                Self.outcome(results[change]) { _ in .deregistered }
            case .deregister(nil):
                .success(.deregistered)
            case .unknownInstance:
                .success(.unknownInstance)
            }
        }
    }

    private static func outcome(
        _ result: StoreResult, _ kept: (RegisteredInstance?) -> CommandOutcome
    ) -> Result<CommandOutcome, StoreUnavailable>? {
        switch result {
        case .kept(let instance): .success(kept(instance))
        case .conflict: nil
        case .unavailable(let error): .failure(error)
        }
    }

    /// The registration with the id it gets, and the instance that has it now.
    ///
    /// A client may have moved the instance with a derived id by naming that id in a registration with another
    /// address. Whoever registers the old address then is another instance, and gets the next derived id.
    private func identified(
        _ registration: Registration, _ lookUp: (String) -> ServiceInstance?
    ) -> (Registration, ServiceInstance?) {
        var registration = registration
        var known = instance(registration.id, lookUp)
        guard registration.hasDerivedID else { return (registration, known) }
        var attempt = 0
        while let other = known, !other.isSameEndpoint(as: registration) {
            attempt += 1
            registration.id = InstanceIdentifier.make(
                name: registration.name, address: registration.address, port: registration.port,
                transport: registration.transport, attempt: attempt)
            known = instance(registration.id, lookUp)
        }
        return (registration, known)
    }

    private func instance(_ id: String, _ lookUp: (String) -> ServiceInstance?) -> ServiceInstance? {
        guard let last = lastChange[id] else { return lookUp(id) }
        switch changes[last] {
        case .register(let instance), .update(let instance): return instance
        case .deregister: return nil
        }
    }

    private mutating func replace(_ old: ServiceInstance?, by new: ServiceInstance, _ change: StoreChange) {
        lastChange[new.id] = changes.count
        changes.append(change)
        if let old {
            if old.looksInDNSLike(new) { return }
            services.insert(old.name)
        }
        services.insert(new.name)
    }
}

extension ServiceInstance {
    /// Whether name, address, port and protocol are those of `registration`.
    func isSameEndpoint(as registration: Registration) -> Bool {
        name == registration.name && address == registration.address && port == registration.port
            && transport == registration.transport
    }

    /// What was registered, and what the registry knows of it.
    init(_ registration: Registration, isDraining: Bool, registeredAt: WallTime, sequence: UInt64) {
        self.init(
            id: registration.id,
            name: registration.name,
            address: registration.address,
            port: registration.port,
            transport: registration.transport,
            tags: registration.tags,
            metadata: registration.metadata,
            weight: registration.weight,
            priority: registration.priority,
            ttlSeconds: registration.ttlSeconds,
            dnsTTL: registration.dnsTTL,
            isDraining: isDraining,
            registeredAt: registeredAt,
            sequence: sequence
        )
    }
}
