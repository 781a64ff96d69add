/// An instance that has come, changed or gone.
struct InstanceChange: Sendable, Equatable {
    /// As it was; `nil`: it was not there.
    var old: ServiceInstance?
    /// As it is; `nil`: it is there no longer.
    var new: ServiceInstance?

    /// Names in DNS that it may change; 1 or more.
    var nameCount: Int { max(old?.partCount ?? 1, new?.partCount ?? 1) }

    /// Whether DNS answers differently with the one and with the other.
    var isSeenInDNS: Bool {
        guard let old, let new else { return true }
        return !old.looksInDNSLike(new)
    }
}

/// What has changed in a table since somebody looked last.
///
/// The table itself notes it, so that nothing that changes the table can forget to tell.
struct ChangeJournal: Sendable {
    private var changes: [InstanceChange] = []
    private var isOpen = false

    /// Notes changes from now on.
    mutating func open() { isOpen = true }

    /// Notes a change that is seen in DNS.
    mutating func note(from old: ServiceInstance?, to new: ServiceInstance?) {
        let change = InstanceChange(old: old, new: new)
        if isOpen, change.isSeenInDNS { changes.append(change) }
    }

    /// All that was noted since the last call, in order.
    mutating func take() -> [InstanceChange] {
        defer { changes = [] }
        return changes
    }
}
