/// Writes one reply, section by section. The question is written when the writer is made; at the end come the OPT
/// record and the header.
///
/// A type can't hold an `inout` span, so the writer takes over the span that it writes to, and
/// ``end(_:_:reason:text:)`` gives it back. So nobody can forget the end. A few replies are changed once they are
/// whole: aliases that lead to a name of ours are put in front of its records, a TSIG record says that a key is
/// unknown, and an answer for all classes has no AA.
///
/// What frequent answers need is inlined, and the writer is small, so it stays in registers. It would be in memory if
/// anything got a pointer to it. So functions that are seldom needed take the writer and give it back
/// (`self = appending(…)`).
struct ReplyWriter: ~Copyable, ~Escapable {
    /// The reply so far.
    var octets: OutputRawSpan
    /// The most octets of the reply before its OPT record.
    let limit: Int
    /// The transport of the reply.
    let transport: Transport
    /// The header's first two words: ID and flags.
    private var head: UInt32
    /// The header's other words: the number of records in each section.
    private var counts: UInt64
    /// The OPT record to write at the end.
    private let opt: OPTRecord?
    /// The response code, which has twelve bits (RFC 6891 §6.1.3).
    private var code = ResponseCode.noError

    /// - Parameters:
    ///   - frame: the properties of the reply that don't depend on the answer.
    ///   - message: the query.
    ///   - octets: where the reply is written; empty.
    @inline(__always)
    @_lifetime(copy octets)
    init(_ frame: ReplyFrame, to message: RawSpan, into octets: consuming OutputRawSpan) {
        self.octets = octets
        limit = frame.limit &- frame.reserved
        transport = frame.transport
        head = UInt32(frame.id) << 16 | UInt32(frame.flags)
        counts = frame.questionEnd == nil ? 0 : 1 << 48
        opt = frame.opt
        // The question has the very octets of the query (RFC 1035 §4.1.2), which 0x20 relies on. The octets of the
        // header are replaced at the end.
        self.octets.append(octets: message.extracting(0..<(frame.questionEnd ?? MessageHeader.byteCount)))
    }

    /// Sets AA: this server is an authority for the name (RFC 1035 §4.1.1).
    @inline(__always)
    mutating func setAuthoritative() { head |= UInt32(HeaderFlags.authoritative) }

    /// Sets TC: something is missing for lack of room (RFC 2181 §9).
    @inline(__always)
    mutating func setTruncated() { head |= UInt32(HeaderFlags.truncated) }

    /// Whether ``setTruncated()`` was called.
    var isTruncated: Bool {
        @inline(__always) get { head & UInt32(HeaderFlags.truncated) != 0 }
    }

    /// Sets the response code, which is NOERROR otherwise. This may be called only once.
    @inline(__always)
    mutating func set(code: UInt16) {
        self.code = code
        head |= UInt32(code & 0xF)
    }

    /// Sets the number of records in ANSWER. Like the others of its kind, this may be called only once.
    @inline(__always)
    mutating func set(answerCount count: UInt16) { counts |= UInt64(count) << 32 }

    /// Sets the number of records in AUTHORITY.
    @inline(__always)
    mutating func set(authorityCount count: UInt16) { counts |= UInt64(count) << 16 }

    /// Sets the number of records in ADDITIONAL, not counting OPT.
    @inline(__always)
    mutating func set(additionalCount count: UInt16) { counts |= UInt64(count) }

    /// Writes the whole ANSWER: one packed record.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(answer record: RawSpan) {
        octets.append(octets: record)
        set(answerCount: 1)
    }

    /// Writes the whole ANSWER: one A or AAAA record.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(answer address: IPAddress, as synthesis: ZoneView.Synthesis) {
        switch address {
        case .v4(let value):
            append(answer: synthesis.address4.span)
            octets.append(bigEndian: value)
        case .v6(let high, let low):
            append(answer: synthesis.address6.span)
            octets.append(bigEndian: UInt32(truncatingIfNeeded: high >> 32))
            octets.append(bigEndian: UInt32(truncatingIfNeeded: high))
            octets.append(bigEndian: UInt32(truncatingIfNeeded: low >> 32))
            octets.append(bigEndian: UInt32(truncatingIfNeeded: low))
        }
    }

    /// Writes the whole AUTHORITY: the SOA record of a zone. There is always room for it: header and question have at
    /// most 271 octets, this record at most 175, OPT 11 and a cookie 28.
    ///
    /// - Parameter zoneOffset: the offset of the zone's name, which is in the question.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(authority soa: NegativeSOA.View, zoneOffset: UInt16) {
        octets.append(soa, zone: Int(zoneOffset))
        set(authorityCount: 1)
    }

    /// Whether a reason without a text fits into the OPT record.
    var hasRoomForReason: Bool { octets.byteCount &+ ExtendedError.byteCount <= limit }

    /// Writes the OPT record, if the query had one, and the header.
    ///
    /// - Parameters:
    ///   - frame: the same as at the beginning.
    ///   - rules: those that have decided the answer.
    ///   - reason: the reason for the response code, for clients with EDNS.
    ///   - text: a text about the reason, for people.
    /// - Returns: the whole reply.
    @inline(__always)
    @_lifetime(copy self)
    consuming func end(
        _ frame: ReplyFrame, _ rules: AnswerRules, reason: ExtendedError? = nil, text: OctetsView? = nil
    ) -> OutputRawSpan {
        if let opt {
            octets.append(opt, code: code)
            counts &+= 1
        }
        octets.replace(at: 0, bigEndian32: head)
        octets.replace(at: 4, bigEndian64: counts)
        guard opt != nil, frame.options != nil || reason != nil else { return octets }
        return octets.appending(frame.options, rules.fixed.identifier, reason, text)
    }
}

extension OutputRawSpan {
    /// Appends the OPT record of a reply, without options.
    ///
    /// - Parameter code: the response code, whose upper bits go into the record.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(_ opt: OPTRecord, code: UInt16) {
        append(0)
        append(bigEndian: RecordType.opt.rawValue)
        append(bigEndian: opt.payload)
        append(bigEndian: (code >> 4) << 8 | UInt16(EDNS.version))
        // RFC 3225 §3: DO is repeated.
        append(bigEndian: opt.dnssecOK ? UInt16(0x8000) : 0)
        append(bigEndian: UInt16(0))
    }
}
