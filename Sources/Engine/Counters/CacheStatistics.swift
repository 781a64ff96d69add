/// The present contents of the cache of upstreams' answers.
public struct CacheStatistics: Hashable, Sendable {
    /// The number of answers.
    public var entries: UInt64
    /// The octets of memory that they take.
    public var bytes: UInt64
    /// How many answers were evicted to make room for others, since the start.
    public var evictions: UInt64

    /// Zero unless given.
    public init(entries: UInt64 = 0, bytes: UInt64 = 0, evictions: UInt64 = 0) {
        self.entries = entries
        self.bytes = bytes
        self.evictions = evictions
    }
}
