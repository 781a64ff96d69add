/// The one walk over a message that may hold anything: names that may be compressed, records, and sections as the
/// header counts them. It says where things are, and that they are bounded; what they say ldns reads, if it is asked,
/// and it is shown nothing that this walk has not passed.
enum WireReader {
    /// Compression pointers that are followed for one name. Writers of messages need one; each more is somebody's wish
    /// to keep the reader busy. ldns follows 65,535.
    static let maximumPointerCount = 64

    /// What a walk over a name finds next.
    enum Step {
        /// A label, with its length octet; the root's is the last.
        case label(Range<Int>)
        /// A compression pointer.
        case pointer
    }

    /// Walks over the name at `offset` in a message and follows its compression pointers (RFC 1035 §4.1.4): the one way
    /// in which names that may be compressed are read. Whatever the message holds, it takes no more steps than
    /// ``maximumPointerCount`` and the labels of one name.
    ///
    /// A pointer must lead to a prior occurrence: to before all that was read for this name, and behind the header.
    ///
    /// - Parameter visit: is told each step.
    /// - Returns: where the name ends at its place, which may be behind a pointer; `nil` when it is cut off or too
    ///   long, has a label of a kind that there is not, too many pointers, or one that does not lead backwards.
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

    /// Where the name at `offset` ends in a message, see ``walkName(_:at:_:)``.
    static func endOfName(in message: RawSpan, at offset: Int) -> Int? {
        walkName(message, at: offset) { _ in }
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

/// One record of a message: where its parts are. Its owner is bounded (``WireReader/walkName(_:at:_:)``).
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

    /// Where its type is, behind its owner.
    var typeOffset: Int { ttlOffset &- 4 }
}
