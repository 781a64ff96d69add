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
