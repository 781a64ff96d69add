/// What the cache of upstreams' answers holds now.
public struct CacheStatistics: Hashable, Sendable {
    /// Answers kept.
    public var entries: UInt64
    /// Octets of memory that they take.
    public var bytes: UInt64
    /// Answers that had to make room for others, since the start.
    public var evictions: UInt64

    /// Empty unless told otherwise.
    public init(entries: UInt64 = 0, bytes: UInt64 = 0, evictions: UInt64 = 0) {
        self.entries = entries
        self.bytes = bytes
        self.evictions = evictions
    }
}
