import Synchronization

/// Questions that could not be answered a moment ago (RFC 9520). They are apart from the answers, so that thousands of
/// them evict none. It is used only when the cache has no fresh answer.
final class FailureCache: Sendable {
    /// The most failures remembered; the oldest goes first.
    static let maximumCount = 4096
    /// How long a failure is the answer (RFC 9520 §3.2: at least 1 s, at most 5 min).
    static let lifetime = Nanoseconds.seconds(1)
    /// How long after a failure a stale answer is given at once, while the question is retried in the background (RFC
    /// 8767 §5: the failure recheck timer, 30 s).
    static let memory = Nanoseconds.seconds(30)

    /// What is known about a question.
    enum Recency {
        /// It has not failed, or that was long ago.
        case none
        /// It failed within ``FailureCache/memory``.
        case remembered
        /// It failed within ``FailureCache/lifetime``.
        case fresh
    }

    private let table = Mutex(Table())
    /// Whether there may be any failures; while there are none, nobody takes the lock.
    private let isUsed = Atomic<Bool>(false)

    /// Notes that a question could not be answered.
    func insert(_ key: CacheKey, now: MonotonicTime) {
        table.withLock { table in
            table.insert(key, now: now)
            isUsed.store(true, ordering: .relaxed)
        }
    }

    /// What is known about a question.
    func recency(of key: CacheKey, now: MonotonicTime) -> Recency {
        guard isUsed.load(ordering: .relaxed) else { return .none }
        return table.withLock { $0.recency(of: key, now: now) }
    }

    /// How long ago a question could not be answered; `nil`: it has not failed, or that was long ago.
    func age(of key: CacheKey, now: MonotonicTime) -> Nanoseconds? {
        table.withLock { table in
            guard let time = table.time(of: key), now - time < Self.memory else { return nil }
            return now - time
        }
    }

    /// Drops a question that was answered.
    func remove(_ key: CacheKey) {
        guard isUsed.load(ordering: .relaxed) else { return }
        table.withLock { table in
            table.remove(key)
            if table.count == 0 { isUsed.store(false, ordering: .relaxed) }
        }
    }

    /// Drops questions.
    ///
    /// - Parameters:
    ///   - name: in wire form and lower case; `nil`: all names.
    ///   - subtree: whether to drop names below it too.
    /// - Returns: how many were dropped.
    func remove(_ name: [UInt8]?, subtree: Bool) -> Int {
        table.withLock { $0.removeAll(name, subtree: subtree) }
    }

    /// The table itself: pure.
    struct Table {
        private var times: [CacheKey: MonotonicTime] = [:]
        /// The questions in the order of their failures, the oldest at `start`; dropped ones are skipped. It is a ring,
        /// so that nothing is ever moved.
        private var order: [(key: CacheKey, time: MonotonicTime)?] = []
        private var start = 0
        private var orderCount = 0
        private static let orderCapacity = 2 * FailureCache.maximumCount

        var count: Int { times.count }

        mutating func insert(_ key: CacheKey, now: MonotonicTime) {
            if order.isEmpty { order = Array(repeating: nil, count: Self.orderCapacity) }
            while orderCount == Self.orderCapacity || (orderCount > 0 && times.count >= FailureCache.maximumCount) {
                if let oldest = order[start].take(), times[oldest.key] == oldest.time { times[oldest.key] = nil }
                start = (start + 1) % Self.orderCapacity
                orderCount -= 1
            }
            times[key] = now
            order[(start + orderCount) % Self.orderCapacity] = (key, now)
            orderCount += 1
        }

        func recency(of key: CacheKey, now: MonotonicTime) -> Recency {
            guard !times.isEmpty, let time = times[key], now - time < FailureCache.memory else { return .none }
            return now - time < FailureCache.lifetime ? .fresh : .remembered
        }

        func time(of key: CacheKey) -> MonotonicTime? { times[key] }

        mutating func remove(_ key: CacheKey) {
            if !times.isEmpty { times[key] = nil }
        }

        mutating func removeAll(_ name: [UInt8]?, subtree: Bool) -> Int {
            let before = times.count
            guard let name else {
                self = Table()
                return before
            }
            times = times.filter { subtree ? !DomainName.isName($0.key.name, atOrBelow: name) : $0.key.name != name }
            return before - times.count
        }
    }
}
