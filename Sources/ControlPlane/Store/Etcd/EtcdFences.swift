import Synchronization

/// Keys that keep a transaction from being carried out twice.
///
/// A request may reach etcd twice: one member did not answer in time, and the next was asked. A transaction that
/// expects a key to be missing may find that so again, once the key was deleted or its lease has ended. Then what was
/// deregistered or moved would be back, or what was registered since would be deregistered. So each such transaction
/// expects a fence as the one before has left it, and changes it, whether its other conditions hold or not.
final class EtcdFences: Sendable {
    /// A fence, used by one transaction at a time.
    struct Fence: Sendable, Equatable {
        let key: String
        /// The revision of its last known change; 0: never changed.
        var revision: Int64 = 0
    }

    /// The number of fences for all nodes: two nodes that use the same one lose a little time.
    private static let count: UInt64 = 1024

    private let keys: EtcdKeyspace
    private let node: UInt64
    private let state = Mutex<(free: [Fence], made: UInt64)>(([], 0))

    /// - Parameter node: nodes with different numbers seldom use the same fence.
    init(keys: EtcdKeyspace, node: UInt64) {
        self.keys = keys
        self.node = node
    }

    /// Takes a fence that no other transaction of this node is using.
    func take() -> Fence {
        state.withLock { state in
            if let fence = state.free.popLast() { return fence }
            state.made += 1
            // The step is odd, so all fences are used in turn.
            return Fence(key: keys.fence((node + state.made * 61) % Self.count))
        }
    }

    func giveBack(_ fence: Fence) {
        state.withLock { $0.free.append(fence) }
    }
}

extension EtcdTransaction {
    /// Whether its conditions may hold again after it was carried out, so that it needs a fence: it expects a key to be
    /// missing. A revision that it has replaced never comes back.
    var isRepeatable: Bool { conditions.contains { $0.revision == 0 && !$0.isLimit } }

    /// Makes sure that it is carried out at most once. If it fails, it reads the fence after everything else.
    mutating func add(_ fence: EtcdFences.Fence) {
        let change = Operation.put(key: fence.key, value: [], lease: 0)
        conditions.append(Condition(key: fence.key, revision: fence.revision))
        success.append(change)
        failure += [.get(key: fence.key), change]
    }
}
