/// News from etcd on its way to the registry: the watch and the upkeep add, the registry's committer removes.
struct EtcdInbox: Sendable {
    /// A piece of news, which is taken in as a whole.
    enum Item: Sendable {
        /// All changes up to a revision, in their order.
        case changes([EtcdChange], revision: Int64)
        /// The complete state at a revision. `deregisteredAt`: the revision of the last deregistration.
        case everything([EtcdChange], revision: Int64, isWiped: Bool, deregisteredAt: Int64 = 0)
        /// What a transaction found instead of what it expected; this may be ahead of the watch or behind it.
        case findings([EtcdChange], history: Int)
        /// Writes of this node that no client requested.
        case own([EtcdKeptWrite], history: Int)
    }

    /// How many changes may wait. With more, everything is read anew, and the watch begins from there.
    private static let maximumChanges = 262_144

    private var items: [Item] = []
    private var count = 0

    /// Adds changes.
    ///
    /// - Returns: whether they were accepted; not if too many wait.
    mutating func append(_ changes: [EtcdChange], revision: Int64) -> Bool {
        guard count + changes.count <= Self.maximumChanges else { return false }
        items.append(.changes(changes, revision: revision))
        count += changes.count
        return true
    }

    /// Adds the complete state, in place of older changes that the watch has reported.
    mutating func replaceAll(_ values: [EtcdChange], revision: Int64, isWiped: Bool, deregisteredAt: Int64) {
        // But that etcd was wiped must not be forgotten.
        let wasWiped = items.contains { item in
            if case .everything(_, _, true, _) = item { true } else { false }
        }
        items = [
            .everything(values, revision: revision, isWiped: isWiped || wasWiped, deregisteredAt: deregisteredAt)
        ]
        count = values.count
    }

    /// Adds what this node has found or done itself, which is bounded by what it has asked etcd for.
    mutating func append(_ item: Item) { items.append(item) }

    /// Removes and returns everything.
    mutating func takeAll() -> [Item] {
        defer { self = EtcdInbox() }
        return items
    }
}
