/// The addition, change or removal of an instance.
struct InstanceChange: Sendable, Equatable {
    /// One higher than that of the previous change.
    var index: UInt64
    /// The instance before; `nil`: it did not exist.
    var old: RegisteredInstance?
    /// The instance after; `nil`: it no longer exists.
    var new: RegisteredInstance?
    /// Why it has changed.
    var reason = ChangeReason.request

    /// How many names in DNS it may change; 1 or more.
    var nameCount: Int { max(old?.instance.partCount ?? 1, new?.instance.partCount ?? 1) }

    /// Whether DNS answers differ before and after.
    var isSeenInDNS: Bool {
        guard let old, let new else { return true }
        return !old.looksInDNSLike(new)
    }
}

extension ServiceInstance {
    /// The name of a check whose result differs, if nothing else does.
    fileprivate func check(whoseResultAloneDiffersFrom new: ServiceInstance) -> String? {
        // Few instances have any.
        guard !new.results.isEmpty, results != new.results,
            let result = new.results.first(where: { !results.contains($0) })
        else { return nil }
        var same = self
        same.results = new.results
        return same == new ? result.name : nil
    }
}

/// The change or removal of a service's policy.
struct PolicyChange: Sendable, Equatable {
    /// One higher than that of the previous change of anything.
    var index: UInt64
    /// The service.
    var name: String
    /// The policy as the API shows it, a JSON object; `nil`: it was removed.
    var policy: [UInt8]?
    /// Why it has changed.
    var reason = ChangeReason.request
}

/// The changes of a table since they were last taken. Heartbeats are no changes.
///
/// The table itself records them, so that no way of changing it can be forgotten.
struct ChangeJournal: Sendable {
    private var changes: [InstanceChange] = []
    private var policies: [PolicyChange] = []
    private var isOpen = false
    /// The index of the last change, recorded or not; 0: there was none.
    private(set) var lastIndex: UInt64 = 0
    /// Those who read what there was before some of them.
    var pastViews = PastViews()

    /// Records changes from now on.
    mutating func open() { isOpen = true }

    /// Records a change.
    ///
    /// - Returns: the change, or `nil` if there is no difference.
    @discardableResult
    mutating func note(
        from old: RegisteredInstance?, to new: RegisteredInstance?, because reason: ChangeReason = .request
    ) -> InstanceChange? {
        if let old, let new, old.instance == new.instance, old.health == new.health { return nil }
        if !pastViews.isEmpty { pastViews.note(from: old, to: new) }
        lastIndex += 1
        let change = InstanceChange(index: lastIndex, old: old, new: new, reason: self.reason(old, new, reason))
        if isOpen { changes.append(change) }
        return change
    }

    private func reason(
        _ old: RegisteredInstance?, _ new: RegisteredInstance?, _ reason: ChangeReason
    ) -> ChangeReason {
        guard let old, let new else { return reason }
        // Whoever has stored it, a result is the check's.
        return old.instance.check(whoseResultAloneDiffersFrom: new.instance).map { .check($0) } ?? reason
    }

    /// Records that a service has got another policy, or none.
    ///
    /// - Parameter policy: as the API shows it, a JSON object; `nil`: it was removed.
    mutating func notePolicy(of name: String, _ policy: [UInt8]?, because reason: ChangeReason = .request) {
        lastIndex += 1
        guard isOpen else { return }
        policies.append(PolicyChange(index: lastIndex, name: name, policy: policy, reason: reason))
    }

    /// Removes and returns all changes of instances recorded since the last call, in order.
    mutating func take() -> [InstanceChange] {
        defer { changes = [] }
        return changes
    }

    /// Removes and returns all changes of policies recorded since the last call, in order.
    mutating func takePolicies() -> [PolicyChange] {
        defer { policies = [] }
        return policies
    }
}
