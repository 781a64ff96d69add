/// Where the answer to a query came from.
public enum QuerySource: String, CaseIterable, Sendable, BitwiseCopyable {
    /// A zone of this server.
    case zone
    /// The address in a name below `addr.<origin>`.
    case synthesized
    /// A name that is answered here and never forwarded, or one of class CH.
    case special
    /// What upstreams have said before.
    case cache
    /// An upstream, for which the client had to wait.
    case upstream
    /// Nothing: the query was refused, or could not be read.
    case none

    /// Its place among all.
    var place: Int {
        switch self {
        case .zone: 0
        case .synthesized: 1
        case .special: 2
        case .cache: 3
        case .upstream: 4
        case .none: 5
        }
    }
}

/// What is to be noted of a query once its reply is written.
struct QuerySample: Sendable, BitwiseCopyable {
    /// When it was received.
    var arrival: MonotonicTime
    /// Its octets.
    var byteCount: UInt16
    /// Whether its duration and sizes go into the histograms.
    var isTimed: Bool
    /// Whether it goes into the query log.
    var isLogged: Bool

    init(arrival: MonotonicTime, byteCount: Int, isTimed: Bool, isLogged: Bool) {
        self.arrival = arrival
        self.byteCount = UInt16(clamping: byteCount)
        self.isTimed = isTimed
        self.isLogged = isLogged
    }
}

/// What the header of a reply does not tell.
struct QueryOrigin: Sendable {
    var source: QuerySource
    /// The response code, if it does not fit into the header (RFC 6891 §6.1.3).
    var extendedCode: UInt16?
    /// Whether the query had an OPT record.
    var hasEDNS: Bool
    /// Whether DO was set in it.
    var isDNSSECOK: Bool
}

/// A query and its answer, for people.
public struct QueryRecord: Sendable, Equatable {
    /// How long ago the query was received.
    public var age: Duration
    /// Who asked.
    public var client: IPAddress?
    /// Whether it came over TCP.
    public var isTCP: Bool
    /// The name in wire form, as it was asked; `nil`: there was not exactly one question that could be read.
    public var name: [UInt8]?
    /// The type's number; 0 without a name.
    public var type: UInt16
    /// The second word of the query's header (RFC 1035 §4.1.1).
    public var flags: UInt16
    /// Whether the query had an OPT record.
    public var hasEDNS: Bool
    /// Whether DO was set in it.
    public var isDNSSECOK: Bool
    /// The second word of the reply's header.
    public var replyFlags: UInt16
    /// The response code, twelve bits.
    public var code: UInt16
    /// The number of records in ANSWER.
    public var answerCount: UInt16
    /// The octets of the reply.
    public var byteCount: Int
    /// Where the answer came from.
    public var source: QuerySource
    /// From when it was received until the reply was written or sent.
    public var duration: Duration
}
