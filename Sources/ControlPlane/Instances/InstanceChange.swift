/// An instance that has come, changed or gone.
struct InstanceChange: Sendable, Equatable {
    /// One higher than that of the change before.
    var index: UInt64
    /// As it was; `nil`: it was not there.
    var old: RegisteredInstance?
    /// As it is; `nil`: it is there no longer.
    var new: RegisteredInstance?

    /// Names in DNS that it may change; 1 or more.
    var nameCount: Int { max(old?.instance.partCount ?? 1, new?.instance.partCount ?? 1) }

    /// Whether DNS answers differently with the one and with the other.
    var isSeenInDNS: Bool {
        guard let old, let new else { return true }
        return !old.looksInDNSLike(new)
    }
}

/// What has changed in a table since somebody looked last. Heartbeats change nothing.
///
/// The table itself notes it, so that nothing that changes the table can forget to tell.
struct ChangeJournal: Sendable {
    private var changes: [InstanceChange] = []
    private var isOpen = false
    /// The index of the last change, noted or not; 0: there was none.
    private(set) var lastIndex: UInt64 = 0

    /// Notes changes from now on.
    mutating func open() { isOpen = true }

    /// Notes a change.
    ///
    /// - Returns: the same; `nil` when there is no difference.
    @discardableResult
    mutating func note(from old: RegisteredInstance?, to new: RegisteredInstance?) -> InstanceChange? {
        if let old, let new, old.instance == new.instance, old.health == new.health { return nil }
        lastIndex += 1
        let change = InstanceChange(index: lastIndex, old: old, new: new)
        if isOpen { changes.append(change) }
        return change
    }

    /// All that was noted since the last call, in order.
    mutating func take() -> [InstanceChange] {
        defer { changes = [] }
        return changes
    }
}
