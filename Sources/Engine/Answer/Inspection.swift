/// What one worker would answer to a question now, and where that comes from.
public struct Inspection: Sendable {
    /// Where an answer comes from.
    public enum Source: String, Sendable {
        /// A zone of this server.
        case zone
        /// The address in a name below `addr.<origin>`.
        case address
        /// Special names, which are never forwarded.
        case special
        /// The cache of upstreams' answers.
        case cache
        /// The upstreams, which have to be asked first.
        case upstream
        /// Nothing: the query is refused, or can't be read.
        case none
    }

    /// An upstream's answer in the cache.
    public struct Cached: Sendable {
        /// How long ago it came.
        public var age: Duration
        /// How long it is used as it is; negative: it has expired.
        public var remaining: Duration
        /// How long it may be used if upstreams fail (RFC 8767).
        public var remainingIfStale: Duration
        /// Its response code.
        public var code: UInt16
    }

    /// Where the answer comes from.
    public internal(set) var source = Source.none
    /// The origin of the zone that the name is in, in wire form; `nil`: it is in none.
    public internal(set) var zone: [UInt8]?
    /// The generation of the zones.
    public internal(set) var generation: UInt64
    /// Whether names outside are resolved for this client, whether or not there are upstreams.
    public internal(set) var isTrusted = false
    /// Whether there are upstreams.
    public internal(set) var hasUpstreams = false
    /// The whole reply, as it would be over TCP; `nil`: upstreams have to be asked first.
    public internal(set) var reply: [UInt8]?
    /// Whether the reply over UDP without EDNS would be truncated.
    public internal(set) var isTruncatedOverUDP = false
    /// Whether the name has no healthy instance, and SERVFAIL is the answer for that reason.
    public internal(set) var isWithoutInstance = false
    /// The number of records that the RRset has, however many the reply holds; `nil`: it is no RRset of a zone.
    public internal(set) var recordCount: Int?
    /// What the cache has, fresh or not.
    public internal(set) var cached: Cached?

    init(generation: UInt64) {
        self.generation = generation
    }

    /// The reply's response code.
    public var code: UInt16? { reply.map { UInt16($0.rawSpan.octet(at: HeaderOffset.flags &+ 1) ?? 0) & 0xF } }

    /// The reply's records.
    public var records: [PresentationForm.RecordText] { reply.map { PresentationForm.records(of: $0) } ?? [] }

    /// Whether even the reply over TCP has no room for all records.
    public var isTruncated: Bool { reply.map { ($0.rawSpan.octet(at: HeaderOffset.flags) ?? 0) & 2 != 0 } ?? false }
}
