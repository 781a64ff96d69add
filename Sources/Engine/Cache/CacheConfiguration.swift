/// What is kept of upstreams' answers.
public struct CacheConfiguration: Sendable {
    /// Answers kept at most; 0: none.
    public var maximumEntries: Int
    /// TTLs are raised to this; in seconds.
    public var minimumTTL: UInt32
    /// TTLs are lowered to this; in seconds.
    public var maximumTTL: UInt32
    /// TTLs of negative answers are lowered to this (RFC 2308 §5); in seconds.
    public var negativeTTL: UInt32
    /// How long an expired answer may stand in for one that can't be had (RFC 8767); zero: never.
    public var serveStale: Duration
    /// Whether an answer in demand is asked for again before it expires.
    public var prefetch: Bool

    /// Joins the parts.
    public init(
        maximumEntries: Int = 100_000, minimumTTL: UInt32 = 0, maximumTTL: UInt32 = 3600, negativeTTL: UInt32 = 30,
        serveStale: Duration = .seconds(3600), prefetch: Bool = true
    ) {
        self.maximumEntries = maximumEntries
        self.minimumTTL = minimumTTL
        self.maximumTTL = maximumTTL
        self.negativeTTL = negativeTTL
        self.serveStale = serveStale
        self.prefetch = prefetch
    }
}
