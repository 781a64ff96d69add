/// What the workers have counted of names outside the zone since they started, added up.
public struct ForwardingStatistics: Hashable, Sendable {
    /// Queries answered from the cache.
    public var cacheHits: UInt64 = 0
    /// Queries that the cache had no fresh answer to.
    public var cacheMisses: UInt64 = 0
    /// Misses that joined an earlier one that was under way.
    public var coalesced: UInt64 = 0
    /// Queries answered with an answer that had expired (RFC 8767).
    public var staleAnswers: UInt64 = 0
    /// Queries answered SERVFAIL because the same one had failed shortly before (RFC 9520).
    public var cachedFailures: UInt64 = 0
    /// Queries answered SERVFAIL because too many were under way.
    public var overLimit: UInt64 = 0
    /// Answers asked for again before they expired.
    public var prefetches: UInt64 = 0
    /// Queries sent to upstreams over UDP.
    public var udpQueries: UInt64 = 0
    /// Queries sent to upstreams over TCP.
    public var tcpQueries: UInt64 = 0
    /// Second and further attempts because an earlier one took longer than usual.
    public var hedges: UInt64 = 0
    /// Second and further attempts because an earlier one had failed.
    public var retries: UInt64 = 0
    /// What came from an upstream's address and was no answer to what was asked: wrong ID, question or form.
    public var wrongAnswers: UInt64 = 0
    /// Misses that no upstream had answered in time.
    public var timeouts: UInt64 = 0
    /// Misses that ended in SERVFAIL.
    public var failures: UInt64 = 0
    /// Misses under way now.
    public var inFlight: UInt64 = 0

    /// All zero.
    public init() {}
}

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

/// How one upstream does.
public struct UpstreamStatistics: Hashable, Sendable {
    /// Where it is.
    public var address: SocketAddress
    /// Whether it answers as usual; one that does not is probed, and asked only when no other is left.
    public var isHealthy: Bool
    /// Its smoothed round-trip time; `nil`: not known yet.
    public var roundTripTime: Duration?
    /// Queries sent to it.
    public var queries: UInt64
    /// Answers that were of use.
    public var answers: UInt64
    /// Queries that it had not answered when it should have.
    public var timeouts: UInt64
    /// Answers SERVFAIL, REFUSED and the like, malformed ones, and refused connections.
    public var errors: UInt64
}
