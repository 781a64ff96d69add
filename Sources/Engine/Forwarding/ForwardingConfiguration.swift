/// What the engine needs to know to answer names outside its zones.
public struct ForwardingConfiguration: Sendable {
    /// The upstreams, and the clients that may use them.
    public var upstreams: UpstreamConfiguration
    /// How many queries may be under way over all workers; further ones are answered SERVFAIL. 1 or more.
    public var maximumInFlight: Int
    /// How many sockets each worker may have open to upstreams for queries over UDP; 1 or more.
    public var maximumSocketsPerWorker: Int
    /// How answers are cached.
    public var cache: CacheConfiguration

    /// Takes a value for each property.
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
