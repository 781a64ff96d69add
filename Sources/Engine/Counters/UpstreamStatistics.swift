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

    /// What went wrong with it last; `nil`: nothing yet.
    public var lastFailure: Failure?

    /// Something that went wrong.
    public struct Failure: Hashable, Sendable {
        /// What went wrong.
        public enum Kind: String, Sendable {
            /// A query waited longer than it should.
            case timeout
            /// An answer was of no use: SERVFAIL, REFUSED or similar, or malformed.
            case answer
            /// A connection was of no use.
            case connection
            /// It can't be reached.
            case unreachable
        }

        /// What went wrong.
        public var kind: Kind
        /// How long ago.
        public var age: Duration
    }

    /// An upstream that nothing is known about, unless given.
    public init(
        address: SocketAddress, isHealthy: Bool = true, roundTripTime: Duration? = nil, queries: UInt64 = 0,
        answers: UInt64 = 0, timeouts: UInt64 = 0, errors: UInt64 = 0, guesses: UInt64 = 0, isAnswering: Bool = true,
        leadsBack: Bool = false, lastFailure: Failure? = nil
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
        self.lastFailure = lastFailure
    }
}
