/// The transport over which a query arrived.
enum Transport {
    case udp
    case tcp
}

/// The properties of the reply to one query that don't depend on the answer.
struct ReplyFrame {
    /// The query's ID.
    var id: UInt16
    /// The flags that every reply to this query has: QR, the flags that are repeated, and RA (RFC 1035 §4.1.1) for a
    /// client that may resolve names outside.
    var flags: UInt16
    /// The transport of the query and of the reply.
    var transport: Transport
    /// The offset of the question's end in the query; `nil`: the question can't be repeated.
    var questionEnd: Int?
    /// The reply's OPT record; `nil`: the query has none, so the reply has none either (RFC 6891 §6.1.1).
    var opt: OPTRecord?
    /// The options of the OPT record; `nil`: it has none.
    var options: ReplyOptions?
    /// The most octets of the reply.
    var limit: Int

    /// The octets to keep free for the OPT record.
    var reserved: Int {
        guard opt != nil else { return 0 }
        return EDNS.byteCount &+ (options?.byteCount ?? 0)
    }
}

/// The reason for an answer, for clients with EDNS (RFC 8914 §4).
enum ExtendedError: UInt16 {
    case other = 0
    case staleAnswer = 3
    case cachedError = 13
    case prohibited = 18
    case staleNameError = 19
    case notAuthoritative = 20
    case noReachableAuthority = 22
    case networkError = 23

    /// The option's code (RFC 8914 §2).
    static let optionCode: UInt16 = 15
    /// The octets of the option without a text.
    static let byteCount = 6
}

/// Offsets of the header's words (RFC 1035 §4.1.1).
enum HeaderOffset {
    static let flags = 2
    static let answerCount = 6
    static let authorityCount = 8
    static let additionalCount = 10
}
