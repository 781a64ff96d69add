import Synchronization

/// Keys that keep a transaction from being made twice.
///
/// What etcd is asked for may reach it twice: the answer of one member was not waited for, and the next was asked. A
/// transaction that makes a key expects that there is none, which holds again when the key was deleted meanwhile: what
/// somebody has deregistered or moved would be back. So each of them expects a fence as the one before has left it, and
/// changes it, whether its other conditions hold or not.
final class EtcdFences: Sendable {
    /// A fence, which is one transaction's at a time.
    struct Fence: Sendable, Equatable {
        let key: String
        /// When it was changed last, as far as is known; 0: never.
        var revision: Int64 = 0
    }

    /// Fences that there are, for all nodes: two that meet at one lose a little time.
    private static let count: UInt64 = 1024

    private let keys: EtcdKeyspace
    private let node: UInt64
    private let state = Mutex<(free: [Fence], made: UInt64)>(([], 0))

    /// - Parameter node: nodes with different numbers seldom meet.
    init(keys: EtcdKeyspace, node: UInt64) {
        self.keys = keys
        self.node = node
    }

    /// Takes a fence that no other transaction of this node has.
    func take() -> Fence {
        state.withLock { state in
            if let fence = state.free.popLast() { return fence }
            state.made += 1
            // An odd distance: all are come by.
            return Fence(key: keys.fence((node + state.made * 61) % Self.count))
        }
    }

    func giveBack(_ fence: Fence) {
        state.withLock { $0.free.append(fence) }
    }
}

extension EtcdTransaction {
    /// Whether it makes a key, which it could do again.
    var makesKeys: Bool {
        let absent = Set(conditions.lazy.filter { $0.revision == 0 && !$0.isLimit }.map(\.key))
        return success.contains { operation in
            if case .put(let key, _, _) = operation { absent.contains(key) } else { false }
        }
    }

    /// Has it be made once, if at all. When it fails, it asks for the fence after everything else.
    mutating func add(_ fence: EtcdFences.Fence) {
        let change = Operation.put(key: fence.key, value: [], lease: 0)
        conditions.append(Condition(key: fence.key, revision: fence.revision))
        success.append(change)
        failure += [.get(key: fence.key), change]
    }
}
