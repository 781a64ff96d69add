import Synchronization

/// News of etcd on their way to the registry: the watch and the upkeep put in, the registry's committer takes out.
final class EtcdInbox: Sendable {
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

    private struct State {
        var items: [Item] = []
        var count = 0
    }

    private let state = Mutex(State())

    /// Puts changes in.
    ///
    /// - Returns: whether they were taken: not when too many wait.
    func append(_ changes: [EtcdChange], revision: Int64) -> Bool {
        state.withLock { state in
            guard state.count + changes.count <= Self.maximumChanges else { return false }
            state.items.append(.changes(changes, revision: revision))
            state.count += changes.count
            return true
        }
    }

    /// Puts in all that there is: what the watch has told of is older and does not matter any more.
    func replaceAll(_ values: [EtcdChange], revision: Int64, isWiped: Bool, deregisteredAt: Int64) {
        state.withLock { state in
            // That etcd was wiped must not be forgotten, though.
            let wasWiped = state.items.contains { item in
                if case .everything(_, _, true, _) = item { true } else { false }
            }
            state.items = [
                .everything(
                    values, revision: revision, isWiped: isWiped || wasWiped, deregisteredAt: deregisteredAt)
            ]
            state.count = values.count
        }
    }

    /// Puts in what this node has found or done itself: never more than it has asked etcd for since the last time.
    func append(_ item: Item) {
        state.withLock { $0.items.append(item) }
    }

    /// Takes everything out.
    func takeAll() -> [Item] {
        state.withLock { state in
            defer { state = State() }
            return state.items
        }
    }
}
