/// Limits for the length of messages, in octets.
enum MessageSize {
    /// The most octets of a reply without records of an answer, with an OPT record that has a cookie: header and
    /// question have at most 271, a SOA record 175.
    static let maximumNegative = 485
    /// The UDP payload that every client accepts (RFC 1035 §4.2.1, RFC 6891 §6.2.3).
    static let minimumPayload = 512
    /// The longest message over TCP (RFC 1035 §4.2.2).
    static let maximum = 65535
}

/// The header of a query (RFC 1035 §4.1.1).
struct MessageHeader {
    /// The octets of a header.
    static let byteCount = 12

    let id: UInt16
    let flags: UInt16
    let questionCount: UInt16
    let answerCount: UInt16
    let authorityCount: UInt16
    let additionalCount: UInt16

    /// Reads the header; `nil` if `message` is too short to have one.
    @inline(__always)
    init?(_ message: RawSpan) {
        guard
            let id = message.uint16(at: 0),
            let flags = message.uint16(at: 2),
            let questionCount = message.uint16(at: 4),
            let answerCount = message.uint16(at: 6),
            let authorityCount = message.uint16(at: 8),
            let additionalCount = message.uint16(at: 10)
        else { return nil }
        self.id = id
        self.flags = flags
        self.questionCount = questionCount
        self.answerCount = answerCount
        self.authorityCount = authorityCount
        self.additionalCount = additionalCount
    }

    /// QR: this is a response.
    var isResponse: Bool { flags & HeaderFlags.response != 0 }

    /// The number of records behind the question.
    var recordCount: Int { Int(answerCount) + Int(authorityCount) + Int(additionalCount) }

    /// Whether there are records in ANSWER or AUTHORITY, where a query has none, except IXFR (RFC 1995 §3).
    var hasOtherRecords: Bool { answerCount | authorityCount != 0 }

    /// The kind of query; 0 is QUERY.
    var opcode: UInt16 { flags >> 11 & 0xF }

    /// The query's flags that every response repeats: RD (RFC 1035 §4.1.1). With another opcode than QUERY, the
    /// meaning of this bit is unknown here, so only the opcode is repeated (RFC 8906 §3.1.4).
    var echoedFlags: UInt16 {
        let opcode = flags & HeaderFlags.opcode
        return opcode == 0 ? flags & HeaderFlags.recursionDesired : opcode
    }

    /// CD, which is repeated in answers of upstreams (RFC 4035 §3.2.2), and clear in those of this server itself
    /// (RFC 4035 §3.1.6).
    var checkingDisabled: UInt16 { flags & HeaderFlags.checkingDisabled }
}

/// The bits of the header's second word (RFC 1035 §4.1.1, RFC 4035 §3.2).
enum HeaderFlags {
    static let response: UInt16 = 0x8000
    static let opcode: UInt16 = 0x7800
    static let authoritative: UInt16 = 0x0400
    static let truncated: UInt16 = 0x0200
    static let recursionDesired: UInt16 = 0x0100
    static let recursionAvailable: UInt16 = 0x0080
    static let checkingDisabled: UInt16 = 0x0010
}

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9).
enum ResponseCode {
    static let noError: UInt16 = 0
    static let formatError: UInt16 = 1
    static let serverFailure: UInt16 = 2
    static let nameError: UInt16 = 3
    static let notImplemented: UInt16 = 4
    static let refused: UInt16 = 5
    /// YXDOMAIN: the name that follows from a DNAME record is too long (RFC 6672 §2.2).
    static let nameExists: UInt16 = 6
    /// NOTAUTH: this server has no such zone (RFC 5936 §2.2.1), or does not know the key of a signature
    /// (RFC 8945 §5.2.1).
    static let notAuthoritative: UInt16 = 9
    /// An extended code: its upper eight bits go into the OPT record.
    static let badVersion: UInt16 = 16
}

/// Classes of records (RFC 1035 §3.2.4).
enum RecordClass {
    static let internet: UInt16 = 1
    static let chaos: UInt16 = 3
    /// All classes, in a question (RFC 1035 §3.2.5); it also stands in TSIG records (RFC 8945 §4.2).
    static let any: UInt16 = 255
}
