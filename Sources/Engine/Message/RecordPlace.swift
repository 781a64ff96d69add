/// One record of a message: where its parts are. Its owner is bounded (``DomainName/walk(_:at:_:)``), so that who reads
/// the record later may follow it.
struct RecordPlace {
    /// Where its owner begins.
    var owner: Int
    var type: RecordType
    var recordClass: UInt16
    /// Where its TTL is: behind it RDLENGTH and RDATA.
    var ttlOffset: Int
    /// As it came.
    var ttl: UInt32
    /// Where RDATA is.
    var data: Range<Int>

    /// Reads the record at `offset`.
    ///
    /// - Returns: `nil` when it is cut off or its owner is malformed.
    init?(_ message: RawSpan, at offset: Int) {
        guard let fixed = DomainName.end(in: message, at: offset),
            let type = message.uint16(at: fixed),
            let recordClass = message.uint16(at: fixed &+ 2),
            let ttl = message.uint32(at: fixed &+ 4),
            let length = message.uint16(at: fixed &+ 8)
        else { return nil }
        let start = fixed &+ 10
        let end = start &+ Int(length)
        guard end <= message.byteCount else { return nil }
        owner = offset
        self.type = RecordType(rawValue: type)
        self.recordClass = recordClass
        ttlOffset = fixed &+ 4
        self.ttl = ttl
        data = start..<end
    }

    /// Of a signature the type that it covers (RFC 4034 §3.1.1), else its own.
    func coveredType(in message: RawSpan) -> RecordType {
        guard type == .rrsig, data.count >= 2, let covered = message.uint16(at: data.lowerBound) else { return type }
        return RecordType(rawValue: covered)
    }

    /// The records of a section.
    ///
    /// - Parameters:
    ///   - count: how many the header promises.
    ///   - offset: where they begin; afterwards where they end.
    /// - Returns: `nil` when one of them is malformed.
    static func section(_ message: RawSpan, count: UInt16, from offset: inout Int) -> [RecordPlace]? {
        var records: [RecordPlace] = []
        let isWhole = all(message, count: count, from: &offset) { record in
            records.append(record)
            return true
        }
        return isWhole ? records : nil
    }

    /// Whether the records of a section are well-formed, and pass a check.
    ///
    /// - Parameters:
    ///   - count: how many the header promises.
    ///   - offset: where they begin; afterwards where they end.
    @inline(__always)
    static func all(
        _ message: RawSpan, count: UInt16, from offset: inout Int, _ check: (RecordPlace) -> Bool = { _ in true }
    ) -> Bool {
        for _ in 0..<count {
            guard let record = RecordPlace(message, at: offset), check(record) else { return false }
            offset = record.data.upperBound
        }
        return true
    }
}
