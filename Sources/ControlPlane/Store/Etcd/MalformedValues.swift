import Synchronization

/// Keys under the prefix whose values are none of ours: counted, and logged once each.
final class MalformedValues: Sendable {
    /// Keys that are remembered; those beyond are neither counted nor logged.
    private static let maximumKeys = 65_536

    private let keys = Mutex<Set<String>>([])

    /// How many there are.
    var count: Int { keys.withLock { $0.count } }

    /// The keys.
    var all: Set<String> { keys.withLock { $0 } }

    /// A key has such a value.
    ///
    /// - Returns: whether it is the first time.
    func add(_ key: String) -> Bool {
        keys.withLock { $0.count < Self.maximumKeys && $0.insert(key).inserted }
    }

    /// A key has none, or another value.
    func remove(_ key: String) {
        keys.withLock { if !$0.isEmpty { $0.remove(key) } }
    }
}
