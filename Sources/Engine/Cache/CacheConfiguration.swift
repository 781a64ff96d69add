/// How upstreams' answers are cached.
public struct CacheConfiguration: Sendable {
    /// Answers kept at most; 0: none.
    public var maximumEntries: Int
    /// Lower TTLs are raised to this; in seconds.
    public var minimumTTL: UInt32
    /// Higher TTLs are lowered to this; in seconds.
    public var maximumTTL: UInt32
    /// Higher TTLs of negative answers are lowered to this (RFC 2308 §5); in seconds.
    public var negativeTTL: UInt32
    /// How long an expired answer may stand in when no fresh one can be had (RFC 8767); zero: never.
    public var serveStale: Duration
    /// Whether a popular answer is fetched again before it expires.
    public var prefetch: Bool

    /// Takes a value for each property.
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
