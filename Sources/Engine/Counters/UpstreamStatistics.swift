/// The state of one upstream.
public struct UpstreamStatistics: Hashable, Sendable {
    /// Its address.
    public var address: SocketAddress
    /// Whether it answers as usual. One that does not is probed, and queried only if no other is left.
    public var isHealthy: Bool
    /// Its smoothed round-trip time; `nil`: not known yet.
    public var roundTripTime: Duration?
    /// Queries sent to it.
    public var queries: UInt64
    /// Its useful answers.
    public var answers: UInt64
    /// Queries that it did not answer in time.
    public var timeouts: UInt64
    /// SERVFAIL, REFUSED and similar answers, malformed ones, and refused connections.
    public var errors: UInt64
    /// Ports at which somebody tried to guess its answers, so that the waiting queries were repeated over TCP.
    public var guesses: UInt64
    /// Whether it answers at all.
    public var isAnswering: Bool
    /// Whether it leads back to this server, and is not queried for that reason.
    public var leadsBack: Bool

    /// An upstream that nothing is known about, unless given.
    public init(
        address: SocketAddress, isHealthy: Bool = true, roundTripTime: Duration? = nil, queries: UInt64 = 0,
        answers: UInt64 = 0, timeouts: UInt64 = 0, errors: UInt64 = 0, guesses: UInt64 = 0, isAnswering: Bool = true,
        leadsBack: Bool = false
    ) {
        self.address = address
        self.isHealthy = isHealthy
        self.roundTripTime = roundTripTime
        self.queries = queries
        self.answers = answers
        self.timeouts = timeouts
        self.errors = errors
        self.guesses = guesses
        self.isAnswering = isAnswering
        self.leadsBack = leadsBack
    }
}
