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
        case policy(change: Int, isSet: Bool)
        /// Nothing is to be stored.
        ///
        /// - Parameter after: the earlier change that it was decided on; `nil`: it was decided on what is stored. If
        ///   that change is not kept, the decision is wrong: what a failed deregistration was to remove is still there.
        case decided(CommandOutcome, after: Int?)
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
    /// The policies of services after the changes, where they may differ, with the index of the last change of each.
    private var policies: [String: (policy: ServicePolicy?, change: Int)] = [:]
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
                return decide(.denied(denial), id)
            }
            if let limit = beyondBounds(registration.weight, registration.priority, of: registration.name, table) {
                return decide(.refused(limit), ofPolicy: registration.name)
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
            if let limit = usage.replace(known, by: instance, table) { return refuse(limit) }
            if known == nil { nextSequence += 1 }
            steps.append(.register(change: changes.count, isNew: known == nil))
            noteSubstitute(known, instance, table)
            note(.register(instance, because: reason), from: known, to: instance)
        case .patch(let id, let patch):
            guard let known = instance(id, table) else { return decide(.unknownInstance, id) }
            if let denial = requester?.denial(known.name) { return decide(.denied(denial), id) }
            if let limit = beyondBounds(patch.weight, patch.priority, of: known.name, table) {
                return decide(.refused(limit), ofPolicy: known.name)
            }
            let instance = patch.applied(to: known)
            if let limit = usage.replace(known, by: instance, table) { return refuse(limit) }
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
                return decide(.unknownInstance, id)
            }
            deregister(id, because: .check(expulsion.check), table)
        case .release(let id):
            // One that was heard from meanwhile stays.
            guard let known = instance(id, table), known.isHeld else { return decide(.unknownInstance, id) }
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
            return decide(.denied(denial), restored.id)
        }
        var instance = restored
        instance.sequence = known?.sequence ?? nextSequence
        if let limit = usage.replace(known, by: instance, table) { return refuse(limit) }
        if known == nil { nextSequence += 1 }
        steps.append(.register(change: changes.count, isNew: known == nil))
        noteSubstitute(known, instance, table)
        note(.register(instance, because: reason), from: known, to: instance)
    }

    private mutating func deregister(
        _ id: String, by requester: Requester? = nil, because reason: ChangeReason, _ table: InstanceTable
    ) {
        guard let known = instance(id, table) else {
            guard isRepeated else { return decide(.unknownInstance, id) }
            // It was known at the first attempt, so it is gone as requested. The store makes sure that it stays
            // gone.
            steps.append(.deregister(change: changes.count))
            note(.deregister(id: id, because: reason), from: nil, to: nil)
            return
        }
        if let denial = requester?.denial(known.name) { return decide(.denied(denial), id) }
        steps.append(.deregister(change: changes.count))
        noteSubstitute(known, nil, table)
        _ = usage.replace(known, by: nil, table)
        note(.deregister(id: id, because: reason), from: known, to: nil)
    }

    /// Adds the result of a check.
    private mutating func add(
        _ report: CheckReport, of id: String, by requester: Requester?, now: Moment, _ table: InstanceTable
    ) {
        guard let known = instance(id, table) else { return decide(.unknownInstance, id) }
        if let denial = requester?.denial(known.name) { return decide(.denied(denial), id) }
        var instance = known
        // What is held because it could not be stored must not outlive what is known now. If it is newer than what is
        // stored, it is what the new result follows, or it is stored itself.
        let held = table.instance(id: id).flatMap { shown in
            shown.health.unstored.first { $0.name == report.name && known.keepsCheck($0.name, of: shown.instance) }
        }
        let follows = held.map { instance.adopt($0) } ?? false
        var effect = follows && held?.report == report ? .newStatus : instance.adopt(report, now: now.wall)
        // The node that checks the instance must hear that somebody still reports.
        let isToBeTold = isShared && known.isReportDue(report)
        if held != nil || isToBeTold, effect == .sameStatus { effect = .newStatus }
        switch effect {
        case .unknownCheck:
            decide(.unknownCheck, id)
        case .newStatus:
            steps.append(.report(change: changes.count))
            note(.update(instance, because: report.reason), from: known, to: instance)
        case .sameStatus, .outdated:
            // What a check says again and again is not stored each time.
            if let last = lastChange[id] {
                steps.append(.report(change: last))
            } else {
                decide(table.instance(id: id).map { .reported($0) } ?? .unknownInstance, id)
            }
        }
    }

    /// Adds the change of a policy; `nil`: it is removed.
    private mutating func add(
        _ policy: ServicePolicy?, of name: String, by requester: Requester?, _ table: InstanceTable
    ) {
        if let denial = requester?.denial(name) { return decide(.denied(denial), ofPolicy: name) }
        let known = self.policy(of: name, table)
        if let requester, !requester.isAdmin,
            (policy?.bounds ?? PolicyBounds()) != (known?.bounds ?? PolicyBounds())
        {
            return decide(.denied(.policyBounds(name)), ofPolicy: name)
        }
        let isKnown = known != nil
        if policy == nil, !isKnown {
            // At a repeated attempt another node has removed it, as requested.
            return decide(isRepeated ? .policyRemoved : .unknownPolicy, ofPolicy: name)
        }
        let others = policies.reduce(table.policies.count) { count, each in
            count + (each.value.policy != nil ? 1 : 0) - (table.policies[each.key] != nil ? 1 : 0)
        }
        if policy != nil, !isKnown, others >= ServicePolicy.maximumCount {
            return refuse(.policies(ServicePolicy.maximumCount))
        }
        policies[name] = (policy, changes.count)
        steps.append(.policy(change: changes.count, isSet: policy != nil))
        nameCount += 1 + table.count(of: .whole, inService: name)
        changes.append(.policy(name: name, policy, because: ChangeReason(requester)))
    }

    /// The policy that a service has after the changes.
    private func policy(of name: String, _ table: InstanceTable) -> ServicePolicy? {
        policies[name].map(\.policy) ?? table.policies[name]
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
            case .policy(let change, let isSet):
                Self.outcome(results[change]) { _ in isSet ? .policySet : .policyRemoved }
            case .decided(let outcome, nil):
                .success(outcome)
            case .decided(let outcome, let change?):
                Self.outcome(results[change]) { _ in outcome }
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

    /// Decides a command of which nothing is to be stored, by what is known of its instance.
    private mutating func decide(_ outcome: CommandOutcome, _ id: String) {
        steps.append(.decided(outcome, after: lastChange[id]))
    }

    /// Decides a command of which nothing is to be stored, by the policy of a service.
    private mutating func decide(_ outcome: CommandOutcome, ofPolicy name: String) {
        steps.append(.decided(outcome, after: policies[name]?.change))
    }

    /// Refuses a command because of what there would be in all, with what the changes before it bring.
    private mutating func refuse(_ limit: RegistryLimit) {
        steps.append(.decided(.refused(limit), after: changes.indices.last))
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
