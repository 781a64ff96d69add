/// Writes one reply, section by section: the question when it is made, then what is appended, at the end the OPT record
/// and the header.
///
/// It takes over the span that it writes to, for a type can't hold an `inout` one, and ``end(reason:text:)`` gives that
/// back: so nobody can forget the end, nor write anything behind it. What frequent answers need is inlined, and the
/// writer holds little, so that it is in registers. It would be in memory if anything were given a pointer to it: so
/// what is seldom needed takes the writer and gives it back (`self = appending(…)`).
struct ReplyWriter: ~Copyable, ~Escapable {
    /// The reply so far.
    var octets: OutputRawSpan
    /// Octets that the reply may have before its OPT record.
    let limit: Int
    /// How the reply goes out.
    let transport: Transport
    /// The header's first two words: ID and flags.
    private var head: UInt32
    /// The header's other words: records in the sections.
    private var counts: UInt64
    /// The OPT record that there will be.
    private let opt: OPTRecord?
    /// The response code: twelve bits (RFC 6891 §6.1.3).
    private var code = ResponseCode.noError

    /// - Parameters:
    ///   - frame: what the reply must look like.
    ///   - message: the query.
    ///   - octets: where to; empty.
    @inline(__always)
    @_lifetime(copy octets)
    init(_ frame: ReplyFrame, to message: RawSpan, into octets: consuming OutputRawSpan) {
        self.octets = octets
        limit = frame.limit &- frame.reserved
        transport = frame.transport
        head = UInt32(frame.id) << 16 | UInt32(frame.flags)
        counts = frame.questionEnd == nil ? 0 : 1 << 48
        opt = frame.opt
        // RFC 1035 §4.1.2, and 0x20: the very octets of the query. Those of the header are replaced at the end.
        self.octets.append(octets: message.extracting(0..<(frame.questionEnd ?? MessageHeader.byteCount)))
    }

    /// AA: this server is an authority for the name (RFC 1035 §4.1.1).
    @inline(__always)
    mutating func setAuthoritative() { head |= UInt32(HeaderFlags.authoritative) }

    /// TC: something is missing for lack of room (RFC 2181 §9).
    @inline(__always)
    mutating func setTruncated() { head |= UInt32(HeaderFlags.truncated) }

    /// Whether ``setTruncated()`` was called.
    var isTruncated: Bool {
        @inline(__always) get { head & UInt32(HeaderFlags.truncated) != 0 }
    }

    /// The response code; without it NOERROR. To be called once.
    @inline(__always)
    mutating func set(code: UInt16) {
        self.code = code
        head |= UInt32(code & 0xF)
    }

    /// How many records there are in ANSWER. To be called once, as the others of this kind.
    @inline(__always)
    mutating func set(answerCount count: UInt16) { counts |= UInt64(count) << 32 }

    /// How many records there are in AUTHORITY.
    @inline(__always)
    mutating func set(authorityCount count: UInt16) { counts |= UInt64(count) << 16 }

    /// How many records there are in ADDITIONAL, without OPT.
    @inline(__always)
    mutating func set(additionalCount count: UInt16) { counts |= UInt64(count) }

    /// Writes a whole ANSWER of one packed record.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(answer record: RawSpan) {
        octets.append(octets: record)
        set(answerCount: 1)
    }

    /// Writes a whole ANSWER of one A or AAAA record.
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

    /// Writes a whole AUTHORITY: the SOA record of a zone. There is room for it always: header and question have at
    /// most 271 octets, this record at most 175 and OPT 11.
    ///
    /// - Parameter zoneOffset: where the zone's name begins in the question.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(authority soa: NegativeSOA.View, zoneOffset: UInt16) {
        octets.append(soa, zone: Int(zoneOffset))
        set(authorityCount: 1)
    }

    /// Writes the OPT record, if the query had one, and the header.
    ///
    /// - Parameters:
    ///   - reason: why it is that response code, for clients with EDNS.
    ///   - text: what people are told of the reason.
    /// - Returns: the whole reply.
    @inline(__always)
    @_lifetime(copy self)
    consuming func end(reason: ExtendedError? = nil, text: OctetsView? = nil) -> OutputRawSpan {
        if let opt {
            octets.append(opt, code: code)
            if let reason { octets.append(reason, text) }
            counts &+= 1
        }
        octets.replace(at: 0, bigEndian32: head)
        octets.replace(at: 4, bigEndian64: counts)
        return octets
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

    /// Appends an option with a reason to the OPT record that was written last (RFC 8914 §2).
    @_lifetime(self: copy self)
    fileprivate mutating func append(_ reason: ExtendedError, _ text: OctetsView?) {
        let start = byteCount
        append(bigEndian: ExtendedError.optionCode)
        append(bigEndian: UInt16(0))
        append(bigEndian: reason.rawValue)
        if let text { append(octets: text.span) }
        let length = UInt16(truncatingIfNeeded: byteCount &- start)
        replace(at: start &+ 2, bigEndian: length &- 4)
        // The length of the record's data stands right before the option.
        replace(at: start &- 2, bigEndian: length)
    }
}
