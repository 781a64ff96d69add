/// News of etcd on their way to the registry: the watch and the upkeep put in, the registry's committer takes out.
struct EtcdInbox: Sendable {
    /// News that go together.
    enum Item: Sendable {
        /// All changes up to a revision, in their order.
        case changes([EtcdChange], revision: Int64)
        /// All that there is at a revision. `deregisteredAt`: the revision at which somebody was deregistered last.
        case everything([EtcdChange], revision: Int64, isWiped: Bool, deregisteredAt: Int64 = 0)
        /// What was found instead of what was expected, ahead of the watch or behind it.
        case findings([EtcdChange], history: Int)
        /// What this node has written by itself.
        case own([EtcdKeptWrite], history: Int)
    }

    /// Changes that may wait; beyond, the watch begins anew from all that there is.
    private static let maximumChanges = 262_144

    private var items: [Item] = []
    private var count = 0

    /// Puts changes in.
    ///
    /// - Returns: whether they were taken: not when too many wait.
    mutating func append(_ changes: [EtcdChange], revision: Int64) -> Bool {
        guard count + changes.count <= Self.maximumChanges else { return false }
        items.append(.changes(changes, revision: revision))
        count += changes.count
        return true
    }

    /// Puts in all that there is: what the watch has told of is older and does not matter any more.
    mutating func replaceAll(_ values: [EtcdChange], revision: Int64, isWiped: Bool, deregisteredAt: Int64) {
        // That etcd was wiped must not be forgotten, though.
        let wasWiped = items.contains { item in
            if case .everything(_, _, true, _) = item { true } else { false }
        }
        items = [
            .everything(values, revision: revision, isWiped: isWiped || wasWiped, deregisteredAt: deregisteredAt)
        ]
        count = values.count
    }

    /// Puts in what this node has found or done itself: never more than it has asked etcd for since the last time.
    mutating func append(_ item: Item) { items.append(item) }

    /// Takes everything out.
    mutating func takeAll() -> [Item] {
        defer { self = EtcdInbox() }
        return items
    }
}
