/// What the reply to one query must look like, whatever the answer is.
struct ReplyFrame {
    /// The query's header.
    var header: MessageHeader
    /// Where the question ends in the query; `nil` when it can't be repeated.
    var questionEnd: Int?
    /// What the query's OPT record says; `nil`: no OPT in the reply either (RFC 6891 §6.1.1).
    var edns: EDNS?
    /// Octets that the reply may have.
    var limit: Int
    /// RA (RFC 1035 §4.1.1) for a client that may have names outside, else 0.
    var recursionAvailable: UInt16 = 0

    /// The flags that every reply to this query has.
    var flags: UInt16 { HeaderFlags.response | header.echoedFlags | recursionAvailable }

    /// Octets to keep free for the OPT record.
    var reserved: Int { edns == nil ? 0 : EDNS.byteCount }
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
    /// Octets of the option.
    static let byteCount = 6
}

/// Offsets of the header's words (RFC 1035 §4.1.1).
enum HeaderOffset {
    static let flags = 2
    static let answerCount = 6
    static let authorityCount = 8
    static let additionalCount = 10
}

extension OutputRawSpan {
    /// Writes the header, with no records yet, and the question as it was asked.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func begin(_ frame: ReplyFrame, query: RawSpan, flags: UInt16, code: UInt16) {
        append(bigEndian: frame.header.id)
        append(bigEndian: frame.flags | flags | code & 0xF)
        append(bigEndian: frame.questionEnd == nil ? UInt16(0) : 1)
        append(bigEndian: UInt16(0))
        append(bigEndian: UInt32(0))
        if let end = frame.questionEnd, end <= query.byteCount {
            // RFC 1035 §4.1.2, and 0x20: the very octets of the query.
            append(octets: query.extracting(MessageHeader.byteCount..<end))
        }
    }

    /// Writes the OPT record where the query had one, and with it the count of ADDITIONAL.
    ///
    /// - Parameters:
    ///   - additionalCount: records already in ADDITIONAL.
    ///   - payload: the UDP payload that this server takes, in octets.
    ///   - code: the response code, whose upper bits go into the record.
    ///   - reason: why it is that code.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func end(
        _ frame: ReplyFrame, additionalCount: UInt16, payload: UInt16, code: UInt16, reason: ExtendedError? = nil
    ) {
        guard let edns = frame.edns else {
            if additionalCount > 0 {
                replace(at: HeaderOffset.additionalCount, bigEndian: additionalCount)
            }
            return
        }
        append(0)
        append(bigEndian: RecordType.opt.rawValue)
        append(bigEndian: payload)
        append(bigEndian: (code >> 4) << 8 | UInt16(EDNS.version))
        // RFC 3225 §3: DO is repeated.
        append(bigEndian: edns.dnssecOK ? UInt16(0x8000) : 0)
        if let reason {
            append(bigEndian: UInt16(ExtendedError.byteCount))
            append(bigEndian: ExtendedError.optionCode)
            append(bigEndian: UInt16(2))
            append(bigEndian: reason.rawValue)
        } else {
            append(bigEndian: UInt16(0))
        }
        replace(at: HeaderOffset.additionalCount, bigEndian: additionalCount &+ 1)
    }
}
