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
    /// Ports at which somebody guessed at answers, so that what waited there was asked over TCP instead.
    public var guesses: UInt64
    /// Whether it answers, in whatever way.
    public var isAnswering: Bool
    /// Whether it leads back to this server, and so is not asked.
    public var leadsBack: Bool

    /// One that nothing is known of, unless told otherwise.
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
