/// What the workers have counted since they started, added up.
public struct EngineStatistics: Hashable, Sendable {
    /// Queries that arrived over UDP.
    public var udpQueries: UInt64 = 0
    /// Queries that arrived over TCP.
    public var tcpQueries: UInt64 = 0
    /// Packets dropped without an answer: no header, or a response.
    public var dropped: UInt64 = 0
    /// Answers sent with TC=1.
    public var truncated: UInt64 = 0
    /// Answers by response code: NOERROR with records.
    public var answered: UInt64 = 0
    /// NOERROR without a record of the asked type.
    public var noData: UInt64 = 0
    /// NXDOMAIN.
    public var nameErrors: UInt64 = 0
    /// SERVFAIL.
    public var serverFailures: UInt64 = 0
    /// REFUSED.
    public var refused: UInt64 = 0
    /// FORMERR.
    public var formatErrors: UInt64 = 0
    /// NOTIMP.
    public var notImplemented: UInt64 = 0
    /// BADVERS.
    public var badVersions: UInt64 = 0
    /// UDP answers that the system did not take.
    public var sendErrors: UInt64 = 0
    /// TCP connections accepted.
    public var connectionsAccepted: UInt64 = 0
    /// TCP connections closed because a limit was reached.
    public var connectionsEvicted: UInt64 = 0
    /// TCP connections open now.
    public var connectionsOpen: UInt64 = 0
    /// Names outside the zone.
    public var forwarding = ForwardingStatistics()
    /// The cache of upstreams' answers.
    public var cache = CacheStatistics()
    /// The upstreams, in their configured order.
    public var upstreams: [UpstreamStatistics] = []

    /// All zero.
    public init() {}
}
