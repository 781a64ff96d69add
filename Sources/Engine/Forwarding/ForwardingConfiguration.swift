/// What the data plane needs to know to answer names outside its zone.
public struct ForwardingConfiguration: Sendable {
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
