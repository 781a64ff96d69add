/// What a query's OPT record says (RFC 6891 §6.1).
struct EDNS {
    /// The version that this server speaks.
    static let version: UInt8 = 0
    /// Octets of an OPT record without options.
    static let byteCount = 11
    /// Records that a query may have behind its question: OPT, TSIG and some to spare.
    static let maximumAdditionalRecords = 8

    /// The largest UDP payload the client takes, in octets.
    var payload: UInt16
    /// The version the client speaks.
    var version: UInt8
    /// DO: the client understands DNSSEC (RFC 3225).
    var dnssecOK: Bool

    /// What stands behind a query's question.
    enum Reading {
        /// No OPT record.
        case none
        /// One OPT record.
        case present(EDNS)
        /// Not a valid rest of a query.
        case malformed
    }

    /// Reads the records behind the question.
    ///
    /// Written by hand rather than with ldns, which needs the whole message unpacked for it; a differential test
    /// holds it against `ldns_wire2pkt`.
    ///
    /// - Parameters:
    ///   - recordCount: how many records the header promises.
    ///   - offset: where they start.
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
            // RFC 6891 §6.1.1: one OPT at most; §6.1.2: its owner is the root.
            guard found == nil, record.typeOffset == record.owner + 1,
                hasWellFormedOptions(message.extracting(record.data))
            else { return .malformed }
            // §6.1.3: what these fields are in an OPT record.
            found = EDNS(
                payload: record.recordClass,
                version: UInt8(truncatingIfNeeded: record.ttl >> 16),
                dnssecOK: record.ttl & 0x8000 != 0
            )
        }
        guard offset == message.byteCount else { return .malformed }
        return found.map(Reading.present) ?? .none
    }

    /// Whether `rdata` is a row of {code, length, data} (RFC 6891 §6.1.2). The options themselves are ignored.
    private static func hasWellFormedOptions(_ rdata: RawSpan) -> Bool {
        var offset = 0
        while offset < rdata.byteCount {
            guard let length = rdata.uint16(at: offset + 2) else { return false }
            offset += 4 + Int(length)
        }
        return offset == rdata.byteCount
    }
}

/// The OPT record of a reply.
struct OPTRecord {
    /// The largest UDP payload that this server takes, in octets.
    var payload: UInt16
    /// DO, repeated (RFC 3225 §3).
    var dnssecOK: Bool
}
