/// The contents of a query's OPT record (RFC 6891 §6.1).
struct EDNS {
    /// The version that this server speaks.
    static let version: UInt8 = 0
    /// The octets of an OPT record without options.
    static let byteCount = 11
    /// The most records that a query may have behind its question: OPT, TSIG, and some to spare.
    static let maximumAdditionalRecords = 8

    /// The largest UDP payload that the client accepts, in octets.
    var payload: UInt16
    /// The version that the client speaks.
    var version: UInt8
    /// DO: the client understands DNSSEC (RFC 3225).
    var dnssecOK: Bool

    /// The options that are answered here.
    var options: EDNSOptions

    /// The records behind a query's question.
    enum Reading {
        /// No OPT record.
        case none
        /// One OPT record.
        case present(EDNS)
        /// The rest of the query is not valid.
        case malformed
    }

    /// Reads the records behind the question.
    ///
    /// ldns is not used here, because it would have to unpack the whole message. A differential test compares the
    /// result with `ldns_wire2pkt`.
    ///
    /// - Parameters:
    ///   - recordCount: the number of records according to the header.
    ///   - offset: the offset of the first record.
    @inline(__always)
    static func read(_ message: RawSpan, recordCount: Int, from offset: Int) -> Reading {
        if recordCount == 0 { return offset == message.byteCount ? .none : .malformed }
        return readRecords(message, recordCount: recordCount, from: offset)
    }

    private static func readRecords(_ message: RawSpan, recordCount: Int, from start: Int) -> Reading {
        guard recordCount <= maximumAdditionalRecords else { return .malformed }
        var found: EDNS?
        var offset = start
        for _ in 0..<recordCount {
            guard let record = RecordPlace(message, at: offset) else { return .malformed }
            offset = record.data.upperBound
            guard record.type == .opt else { continue }
            // RFC 6891 §6.1.1: there is at most one OPT record; §6.1.2: its owner is the root.
            guard found == nil, record.typeOffset == record.owner + 1,
                let options = EDNSOptions(message, in: record.data)
            else { return .malformed }
            // RFC 6891 §6.1.3: the meaning of these fields in an OPT record.
            found = EDNS(
                payload: record.recordClass,
                version: UInt8(truncatingIfNeeded: record.ttl >> 16),
                dnssecOK: record.ttl & 0x8000 != 0,
                options: options
            )
        }
        guard offset == message.byteCount else { return .malformed }
        return found.map(Reading.present) ?? .none
    }
}

/// The OPT record of a reply.
struct OPTRecord {
    /// The largest UDP payload that this server accepts, in octets.
    var payload: UInt16
    /// DO, as in the query (RFC 3225 §3).
    var dnssecOK: Bool
}
