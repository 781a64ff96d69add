/// The addition, change or removal of an instance.
struct InstanceChange: Sendable, Equatable {
    /// One higher than that of the previous change.
    var index: UInt64
    /// The instance before; `nil`: it did not exist.
    var old: RegisteredInstance?
    /// The instance after; `nil`: it no longer exists.
    var new: RegisteredInstance?

    /// How many names in DNS it may change; 1 or more.
    var nameCount: Int { max(old?.instance.partCount ?? 1, new?.instance.partCount ?? 1) }

    /// Whether DNS answers differ before and after.
    var isSeenInDNS: Bool {
        guard let old, let new else { return true }
        return !old.looksInDNSLike(new)
    }
}

/// The changes of a table since they were last taken. Heartbeats are no changes.
///
/// The table itself records them, so that no way of changing it can be forgotten.
struct ChangeJournal: Sendable {
    private var changes: [InstanceChange] = []
    private var isOpen = false
    /// The index of the last change, recorded or not; 0: there was none.
    private(set) var lastIndex: UInt64 = 0

    /// Records changes from now on.
    mutating func open() { isOpen = true }

    /// Records a change.
    ///
    /// - Returns: the change, or `nil` if there is no difference.
    @discardableResult
    mutating func note(from old: RegisteredInstance?, to new: RegisteredInstance?) -> InstanceChange? {
        if let old, let new, old.instance == new.instance, old.health == new.health { return nil }
        lastIndex += 1
        let change = InstanceChange(index: lastIndex, old: old, new: new)
        if isOpen { changes.append(change) }
        return change
    }

    /// Removes and returns all changes recorded since the last call, in order.
    mutating func take() -> [InstanceChange] {
        defer { changes = [] }
        return changes
    }
}
