/// How a query came in.
enum Transport {
    case udp
    case tcp
}

/// What the reply to one query must look like, whatever the answer is.
struct ReplyFrame {
    /// The query's ID.
    var id: UInt16
    /// The flags that every reply to this query has: QR, what is repeated, and RA (RFC 1035 §4.1.1) for a client that
    /// may have names outside.
    var flags: UInt16
    /// How the query came in, and the reply goes out.
    var transport: Transport
    /// Where the question ends in the query; `nil` when it can't be repeated.
    var questionEnd: Int?
    /// The reply's OPT record: there is one if the query had one (RFC 6891 §6.1.1).
    var opt: OPTRecord?
    /// Octets that the reply may have.
    var limit: Int

    /// Octets to keep free for the OPT record.
    var reserved: Int { opt == nil ? 0 : EDNS.byteCount }
}

/// Why an answer is what it is, for clients with EDNS (RFC 8914 §4).
enum ExtendedError: UInt16 {
    case other = 0
    case staleAnswer = 3
    case cachedError = 13
    case staleNameError = 19
    case noReachableAuthority = 22
    case networkError = 23

    /// The option's code (RFC 8914 §2).
    static let optionCode: UInt16 = 15
    /// Octets of the option without a text.
    static let byteCount = 6
}

/// Offsets of the header's words (RFC 1035 §4.1.1).
enum HeaderOffset {
    static let flags = 2
    static let answerCount = 6
    static let authorityCount = 8
    static let additionalCount = 10
}
