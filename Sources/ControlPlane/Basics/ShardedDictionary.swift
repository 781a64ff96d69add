/// A dictionary that never pauses for long, because it grows one of its 256 parts at a time.
///
/// A plain dictionary of a million instances moves all of them at once when it is full.
struct ShardedDictionary<Value: Sendable>: Sendable {
    private static var shardCount: Int { 256 }

    private var shards: [[String: Value]]
    /// The number of keys.
    private(set) var count = 0

    /// An empty dictionary.
    init() {
        shards = Array(repeating: [:], count: Self.shardCount)
    }

    /// The value of a key; setting `nil` removes the key.
    subscript(key: String) -> Value? {
        get { shards[Self.shard(of: key)][key] }
        set {
            let shard = Self.shard(of: key)
            let before = shards[shard].count
            shards[shard][key] = newValue
            count += shards[shard].count - before
        }
    }

    /// Changes a value in place.
    ///
    /// - Returns: what `change` returns, or `nil` when there is no such key.
    mutating func withValue<Result>(of key: String, _ change: (inout Value) -> Result) -> Result? {
        let shard = Self.shard(of: key)
        guard let index = shards[shard].index(forKey: key) else { return nil }
        return change(&shards[shard].values[index])
    }

    /// Changes a value in place, after putting `initial` there when the key is new.
    mutating func withValue(of key: String, initial: @autoclosure () -> Value, _ change: (inout Value) -> Void) {
        let shard = Self.shard(of: key)
        let before = shards[shard].count
        change(&shards[shard][key, default: initial()])
        count += shards[shard].count - before
    }

    /// Calls `body` with each key and value, in no order.
    func forEach(_ body: (String, Value) -> Void) {
        for shard in shards {
            for (key, value) in shard { body(key, value) }
        }
    }

    private static func shard(of key: String) -> Int {
        // The inner dictionary chooses its bucket by other bits.
        Int(truncatingIfNeeded: UInt(bitPattern: key.hashValue) >> 56)
    }
}
