/// The only walk over a message of unknown contents: over names that may be compressed, records, and sections as the
/// header counts them. It finds the places of things, and checks that they are bounded. Their meaning is read by ldns,
/// if it is needed, and ldns gets nothing that this walk has not passed.
enum WireReader {
    /// The most compression pointers that are followed for one name. A writer of messages needs only one; more of them
    /// can only serve to keep the reader busy. ldns follows 65,535.
    static let maximumPointerCount = 64

    /// A step of a walk over a name.
    enum Step {
        /// A label with its length octet; the root label is the last.
        case label(Range<Int>)
        /// A compression pointer.
        case pointer
    }

    /// Walks over the name at `offset` in a message and follows its compression pointers (RFC 1035 §4.1.4). Every name
    /// that may be compressed is read in this way. Whatever the message contains, the walk takes no more steps than
    /// ``maximumPointerCount`` and the labels of one name.
    ///
    /// A pointer must lead to a prior occurrence: to before everything that was read for this name, and behind the
    /// header.
    ///
    /// - Parameter visit: called for each step.
    /// - Returns: the offset behind the name's own octets, of which a pointer may be the last; `nil` if the name is cut
    ///   off or too long, has a label of an unknown kind, too many pointers, or a pointer that does not lead backwards.
    @inline(__always)
    static func walkName(_ message: RawSpan, at offset: Int, _ visit: (Step) -> Void) -> Int? {
        var position = offset
        var bound = offset
        var end: Int?
        var byteCount = 0
        var pointerCount = 0
        while let length = message.octet(at: position) {
            if length >= 0xC0 {
                guard let pointer = message.uint16(at: position) else { return nil }
                visit(.pointer)
                pointerCount &+= 1
                let target = Int(pointer & 0x3FFF)
                guard pointerCount <= maximumPointerCount, target >= MessageHeader.byteCount, target < bound else {
                    return nil
                }
                if end == nil { end = position &+ 2 }
                bound = target
                position = target
                continue
            }
            let next = position &+ 1 &+ Int(length)
            byteCount &+= 1 &+ Int(length)
            guard length <= DomainName.maximumLabelByteCount, byteCount <= DomainName.maximumByteCount,
                next <= message.byteCount
            else { return nil }
            visit(.label(position..<next))
            position = next
            if length == 0 { return end ?? position }
        }
        return nil
    }

    /// The offset behind the own octets of the name at `offset` in a message, see ``walkName(_:at:_:)``.
    static func endOfName(in message: RawSpan, at offset: Int) -> Int? {
        walkName(message, at: offset) { _ in }
    }

    /// Reads the records of a section.
    ///
    /// - Parameters:
    ///   - count: the number of records according to the header.
    ///   - offset: the offset of the first record; afterwards that of the section's end.
    /// - Returns: `nil` if one of them is malformed.
    static func section(_ message: RawSpan, count: UInt16, from offset: inout Int) -> [RecordPlace]? {
        var records: [RecordPlace] = []
        let isWhole = all(message, count: count, from: &offset) { record in
            records.append(record)
            return true
        }
        return isWhole ? records : nil
    }

    /// Whether all records of a section are well-formed and pass a check.
    ///
    /// - Parameters:
    ///   - count: the number of records according to the header.
    ///   - offset: the offset of the first record; afterwards that of the section's end.
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

/// The places of one record's parts in a message. Its owner is known to be bounded (``WireReader/walkName(_:at:_:)``).
struct RecordPlace {
    /// The offset of its owner.
    var owner: Int
    var type: RecordType
    var recordClass: UInt16
    /// The offset of its TTL, which RDLENGTH and RDATA follow.
    var ttlOffset: Int
    /// The TTL field as it was received.
    var ttl: UInt32
    /// The range of RDATA.
    var data: Range<Int>

    /// Reads the record at `offset`.
    ///
    /// - Returns: `nil` if it is cut off or its owner is malformed.
    @inline(__always)
    init?(_ message: RawSpan, at offset: Int) {
        guard let fixed = WireReader.endOfName(in: message, at: offset),
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

    /// The offset of its type, which follows its owner.
    var typeOffset: Int { ttlOffset &- 4 }
}
