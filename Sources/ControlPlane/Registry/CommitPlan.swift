/// Turns a group of commands into changes of the store. It is pure, and there is one for each group.
///
/// A command sees the effects of those before it in the group, although none is stored yet.
struct CommitPlan {
    /// Says how a command's outcome follows from the store's results.
    private enum Step {
        case register(change: Int, isNew: Bool)
        case patch(change: Int)
        case deregister(change: Int)
        case report(change: Int)
        /// Taken in, while nothing has to be stored.
        case known(RegisteredInstance)
        case unknownCheck
        case policy(change: Int, isSet: Bool)
        case unknownPolicy
        case unknownInstance
        case refused(RegistryLimit)
        case denied(Denial)
    }

    /// The changes for the store, in order.
    private(set) var changes: [StoreChange] = []
    /// How many names in DNS the changes may affect.
    private(set) var nameCount = 0
    private var steps: [Step] = []
    /// The index of the last change of each id.
    private var lastChange: [String: Int] = [:]
    /// ``InstanceTable/substitutes(for:)`` after the changes, for endpoints where they differ.
    private var substitutes: [String: [String]] = [:]
    /// The policies of services after the changes, where they may differ.
    private var policies: [String: ServicePolicy?] = [:]
    private var usage: RegistryUsage
    private var nextSequence: UInt64
    private let isRepeated: Bool
    /// Whether other nodes must hear of results that change no status.
    private let isShared: Bool

    /// An empty plan.
    ///
    /// - Parameters:
    ///   - nextSequence: the sequence number for the first new instance.
    ///   - limits: what the registry may hold.
    ///   - capacity: how many commands are going to be added.
    ///   - isRepeated: whether the commands were planned before and met a ``StoreResult/conflict``.
    ///   - isShared: whether the store is shared with other nodes.
    init(
        nextSequence: UInt64, limits: Configuration.RegistryLimits = .init(), capacity: Int = 1,
        isRepeated: Bool = false, isShared: Bool = false
    ) {
        usage = RegistryUsage(limits: limits)
        self.nextSequence = nextSequence
        self.isRepeated = isRepeated
        self.isShared = isShared
        changes.reserveCapacity(capacity)
        steps.reserveCapacity(capacity)
        lastChange.reserveCapacity(capacity)
    }

    /// Adds a command.
    ///
    /// - Parameters:
    ///   - requester: who asks for it, and may change only some services; `nil`: somebody who may change all.
    ///   - table: the instances in the store.
    mutating func add(
        _ command: RegistryCommand, by requester: Requester? = nil, now: Moment, table: InstanceTable
    ) {
        let reason = ChangeReason(requester)
        switch command {
        case .register(let registration):
            let (id, origin, known) = identified(registration, table)
            // Who takes an instance away from a service changes that one too.
            if let denial = requester?.denial(known?.name) ?? requester?.denial(registration.name) {
                steps.append(.denied(denial))
                return
            }
            if let limit = beyondBounds(registration.weight, registration.priority, of: registration.name, table) {
                steps.append(.refused(limit))
                return
            }
            var instance = ServiceInstance(
                registration,
                id: id,
                idOrigin: origin,
                isDraining: known?.isDraining ?? false,
                registeredAt: known?.registeredAt ?? now.wall,
                sequence: known?.sequence ?? nextSequence
            )
            if let known { instance.keepResults(of: known) }
            if let limit = usage.replace(known, by: instance, table) {
                steps.append(.refused(limit))
                return
            }
            if known == nil { nextSequence += 1 }
            steps.append(.register(change: changes.count, isNew: known == nil))
            noteSubstitute(known, instance, table)
            note(.register(instance, because: reason), from: known, to: instance)
        case .patch(let id, let patch):
            guard let known = instance(id, table) else {
                steps.append(.unknownInstance)
                return
            }
            if let denial = requester?.denial(known.name) {
                steps.append(.denied(denial))
                return
            }
            if let limit = beyondBounds(patch.weight, patch.priority, of: known.name, table) {
                steps.append(.refused(limit))
                return
            }
            let instance = patch.applied(to: known)
            if let limit = usage.replace(known, by: instance, table) {
                steps.append(.refused(limit))
                return
            }
            steps.append(.patch(change: changes.count))
            note(.update(instance, because: reason), from: known, to: instance)
        case .deregister(let id):
            deregister(id, by: requester, because: reason, table)
        case .report(let id, let report):
            add(report, of: id, by: requester, now: now, table)
        case .expel(let expulsion):
            let id = expulsion.instance.instance.id
            let unstored = table.instance(id: id)?.health.unstored ?? []
            guard let known = instance(id, table), expulsion.concerns(known, unstored: unstored) else {
                steps.append(.unknownInstance)
                return
            }
            deregister(id, because: .check(expulsion.check), table)
        case .release(let id):
            // One that was heard from meanwhile stays.
            guard let known = instance(id, table), known.isHeld else {
                steps.append(.unknownInstance)
                return
            }
            deregister(id, by: requester, because: reason, table)
        case .setPolicy(let name, let policy):
            add(policy, of: name, by: requester, table)
        case .restore(let instance):
            restore(instance, by: requester, because: reason, table)
        }
    }

    /// Adds an instance of a backup. The bounds of its service's policy are for registrations: it may have been there
    /// before them.
    private mutating func restore(
        _ restored: ServiceInstance, by requester: Requester?, because reason: ChangeReason, _ table: InstanceTable
    ) {
        let known = instance(restored.id, table)
        if let denial = requester?.denial(known?.name) ?? requester?.denial(restored.name) {
            return steps.append(.denied(denial))
        }
        var instance = restored
        instance.sequence = known?.sequence ?? nextSequence
        if let limit = usage.replace(known, by: instance, table) { return steps.append(.refused(limit)) }
        if known == nil { nextSequence += 1 }
        steps.append(.register(change: changes.count, isNew: known == nil))
        noteSubstitute(known, instance, table)
        note(.register(instance, because: reason), from: known, to: instance)
    }

    private mutating func deregister(
        _ id: String, by requester: Requester? = nil, because reason: ChangeReason, _ table: InstanceTable
    ) {
        guard let known = instance(id, table) else {
            guard isRepeated else {
                steps.append(.unknownInstance)
                return
            }
            // It was known at the first attempt, so it is gone as requested. The store makes sure that it stays
            // gone.
            steps.append(.deregister(change: changes.count))
            note(.deregister(id: id, because: reason), from: nil, to: nil)
            return
        }
        if let denial = requester?.denial(known.name) {
            steps.append(.denied(denial))
            return
        }
        steps.append(.deregister(change: changes.count))
        noteSubstitute(known, nil, table)
        _ = usage.replace(known, by: nil, table)
        note(.deregister(id: id, because: reason), from: known, to: nil)
    }

    /// Adds the result of a check.
    private mutating func add(
        _ report: CheckReport, of id: String, by requester: Requester?, now: Moment, _ table: InstanceTable
    ) {
        guard let known = instance(id, table) else {
            steps.append(.unknownInstance)
            return
        }
        if let denial = requester?.denial(known.name) {
            steps.append(.denied(denial))
            return
        }
        var instance = known
        var effect = instance.adopt(report, now: now.wall)
        // What is held because it could not be stored must not outlive what is known now.
        let isHeld = table.instance(id: id)?.health.unstored.contains { $0.name == report.name } == true
        // The node that checks the instance must hear that somebody still reports.
        let isToBeTold = isShared && known.isReportDue(report)
        if isHeld || isToBeTold, effect == .sameStatus { effect = .newStatus }
        switch effect {
        case .unknownCheck:
            steps.append(.unknownCheck)
        case .newStatus:
            steps.append(.report(change: changes.count))
            note(.update(instance, because: report.reason), from: known, to: instance)
        case .sameStatus, .outdated:
            // What a check says again and again is not stored each time.
            if let last = lastChange[id] {
                steps.append(.report(change: last))
            } else {
                steps.append(table.instance(id: id).map { .known($0) } ?? .unknownInstance)
            }
        }
    }

    /// Adds the change of a policy; `nil`: it is removed.
    private mutating func add(
        _ policy: ServicePolicy?, of name: String, by requester: Requester?, _ table: InstanceTable
    ) {
        if let denial = requester?.denial(name) { return steps.append(.denied(denial)) }
        let known = self.policy(of: name, table)
        if let requester, !requester.isAdmin,
            (policy?.bounds ?? PolicyBounds()) != (known?.bounds ?? PolicyBounds())
        {
            return steps.append(.denied(.policyBounds(name)))
        }
        let isKnown = known != nil
        if policy == nil, !isKnown {
            // At a repeated attempt another node has removed it, as requested.
            return steps.append(isRepeated ? .policy(change: -1, isSet: false) : .unknownPolicy)
        }
        let others = policies.reduce(table.policies.count) { count, each in
            count + (each.value != nil ? 1 : 0) - (table.policies[each.key] != nil ? 1 : 0)
        }
        if policy != nil, !isKnown, others >= ServicePolicy.maximumCount {
            return steps.append(.refused(.policies(ServicePolicy.maximumCount)))
        }
        policies[name] = .some(policy)
        steps.append(.policy(change: changes.count, isSet: policy != nil))
        nameCount += 1 + table.count(of: .whole, inService: name)
        changes.append(.policy(name: name, policy, because: ChangeReason(requester)))
    }

    /// The policy that a service has after the changes.
    private func policy(of name: String, _ table: InstanceTable) -> ServicePolicy? {
        policies[name] ?? table.policies[name]
    }

    /// The bounds in a service's policy that values are beyond; `nil` values are not looked at.
    private func beyondBounds(
        _ weight: UInt16?, _ priority: UInt16?, of name: String, _ table: InstanceTable
    ) -> RegistryLimit? {
        guard let bounds = policy(of: name, table)?.bounds, bounds != PolicyBounds() else { return nil }
        guard !bounds.errors(weight: weight, priority: priority, service: name).isEmpty else { return nil }
        return .bounds(weight: weight, priority: priority, bounds, service: name)
    }

    /// The outcomes of all commands, in order; `nil`: the command must be planned again.
    ///
    /// - Parameter results: the store's results for ``changes``.
    func outcomes(_ results: [StoreResult]) -> [Result<CommandOutcome, StoreUnavailable>?] {
        steps.map { step in
            switch step {
            case .register(let change, let isNew):
                Self.outcome(results[change]) { $0.map { .registered($0, isNew: isNew) } ?? .unknownInstance }
            case .patch(let change):
                Self.outcome(results[change]) { $0.map { .patched($0) } ?? .unknownInstance }
            case .deregister(let change):
                Self.outcome(results[change]) { _ in .deregistered }
            case .report(let change):
                Self.outcome(results[change]) { $0.map { .reported($0) } ?? .unknownInstance }
            case .known(let instance):
                .success(.reported(instance))
            case .unknownCheck:
                .success(.unknownCheck)
            case .policy(let change, let isSet):
                change < 0
                    ? .success(.policyRemoved)
                    : Self.outcome(results[change]) { _ in isSet ? .policySet : .policyRemoved }
            case .unknownPolicy:
                .success(.unknownPolicy)
            case .unknownInstance:
                .success(.unknownInstance)
            case .refused(let limit):
                .success(.refused(limit))
            case .denied(let denial):
                .success(.denied(denial))
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

    /// The id for a registration, its origin, and the instance that has it now.
    ///
    /// A registration without an id means the instance that was registered without one at the same endpoint, and no
    /// other. If a client has named the endpoint's derived id, for another instance or to move this one elsewhere, that
    /// is another instance: then the registration without an id gets a random one, and is found by its endpoint.
    private func identified(
        _ registration: Registration, _ table: InstanceTable
    ) -> (id: String, origin: IdentifierOrigin, known: ServiceInstance?) {
        let named = instance(registration.id, table)
        guard registration.hasDerivedID else {
            // A client that sends back the instance as it was shown has not given it another id.
            let isAsShown = named?.isSameEndpoint(as: registration) == true
            return (registration.id, isAsShown ? named?.idOrigin ?? .given : .given, named)
        }
        if let named, named.idOrigin != .given, named.isSameEndpoint(as: registration) {
            return (named.id, named.idOrigin, named)
        }
        let substitutes = substitutes[registration.id] ?? table.substitutes(for: registration.id)
        if let known = substitutes.first.flatMap({ instance($0, table) }) {
            return (known.id, known.idOrigin, known)
        }
        if named == nil { return (registration.id, .derived, nil) }
        return (InstanceIdentifier.random(), .substitute, nil)
    }

    private func instance(_ id: String, _ table: InstanceTable) -> ServiceInstance? {
        guard let last = lastChange[id] else { return table.instance(id: id)?.instance }
        switch changes[last] {
        case .register(let instance, _), .update(let instance, _): return instance
        case .deregister, .policy: return nil
        }
    }

    /// Updates the substitutes after `new` has replaced `old`.
    private mutating func noteSubstitute(_ old: ServiceInstance?, _ new: ServiceInstance?, _ table: InstanceTable) {
        if let old, old.idOrigin == .substitute {
            let derivedID = old.derivedID
            substitutes[derivedID, default: table.substitutes(for: derivedID)].removeAll { $0 == old.id }
        }
        if let new, new.idOrigin == .substitute {
            let derivedID = new.derivedID
            substitutes[derivedID, default: table.substitutes(for: derivedID)].insertSubstitute(new.id)
        }
    }

    private mutating func note(_ change: StoreChange, from old: ServiceInstance?, to new: ServiceInstance?) {
        nameCount += max(old?.partCount ?? 1, new?.partCount ?? 1)
        lastChange[change.id] = changes.count
        changes.append(change)
    }
}

extension Requester {
    /// Why it may not change a service; `nil`: it may, or there is no such service.
    fileprivate func denial(_ service: String?) -> Denial? {
        service.flatMap { mayChange($0) ? nil : .service($0) }
    }
}

extension ServiceInstance {
    /// An instance made of a registration and the registry's own data.
    init(
        _ registration: Registration, id: String, idOrigin: IdentifierOrigin, isDraining: Bool, registeredAt: WallTime,
        sequence: UInt64
    ) {
        self.init(
            id: id,
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
            hasDefaultDNSTTL: registration.hasDefaultDNSTTL,
            checks: registration.checks,
            isDraining: isDraining,
            idOrigin: idOrigin,
            registeredAt: registeredAt,
            sequence: sequence
        )
    }
}
