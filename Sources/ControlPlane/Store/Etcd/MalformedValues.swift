import Synchronization

/// Keys under the prefix whose values are malformed: they are counted, and each is logged once.
final class MalformedValues: Sendable {
    /// How many keys are remembered; any beyond are neither counted nor logged.
    private static let maximumKeys = 65_536

    private let keys = Mutex<Set<String>>([])

    /// How many there are.
    var count: Int { keys.withLock { $0.count } }

    /// The keys.
    var all: Set<String> { keys.withLock { $0 } }

    /// Notes that a key has a malformed value.
    ///
    /// - Returns: whether this is the first time.
    func add(_ key: String) -> Bool {
        keys.withLock { $0.count < Self.maximumKeys && $0.insert(key).inserted }
    }

    /// Notes that a key has no malformed value any more.
    func remove(_ key: String) {
        keys.withLock { if !$0.isEmpty { $0.remove(key) } }
    }
}
