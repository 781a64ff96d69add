/// What the data plane needs to know to answer names outside its zone.
public struct RecursionConfiguration: Sendable {
    /// Who is asked, and who may have it done.
    public var upstreams: UpstreamConfiguration
    /// Queries under way at once over all workers; above, new ones are answered SERVFAIL. 1 or more.
    public var maximumInFlight: Int
    /// Sockets to upstreams that each worker has open at once for queries over UDP; 1 or more.
    public var maximumSocketsPerWorker: Int
    /// What is kept of the answers.
    public var cache: CacheConfiguration

    /// Joins the parts.
    public init(
        upstreams: UpstreamConfiguration = UpstreamConfiguration(), maximumInFlight: Int = 4096,
        maximumSocketsPerWorker: Int = 512, cache: CacheConfiguration = CacheConfiguration()
    ) {
        self.upstreams = upstreams
        self.maximumInFlight = maximumInFlight
        self.maximumSocketsPerWorker = maximumSocketsPerWorker
        self.cache = cache
    }
}

/// The part that can change while the engine runs, see ``Engine/reconfigure(_:)``.
public struct UpstreamConfiguration: Sendable, Equatable {
    /// The servers that are asked; none: names outside are REFUSED.
    public var servers: [SocketAddress]
    /// Which one is asked first.
    public var policy: UpstreamPolicyName
    /// A client's whole wait, all attempts together.
    public var timeout: Duration
    /// Networks whose clients' queries are forwarded, or answered from the cache.
    public var allow: [IPNetwork]

    /// Joins the parts.
    public init(
        servers: [SocketAddress] = [], policy: UpstreamPolicyName = .fastest, timeout: Duration = .milliseconds(1500),
        allow: [IPNetwork] = []
    ) {
        self.servers = servers
        self.policy = policy
        self.timeout = timeout
        self.allow = allow
    }
}

/// Which upstream is asked first.
public enum UpstreamPolicyName: String, CaseIterable, Sendable {
    /// The one that answered fastest.
    case fastest
    /// Each in turn.
    case roundRobin = "round_robin"
    /// Any, uniformly.
    case random
    /// The first that is healthy.
    case sequential
}

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
