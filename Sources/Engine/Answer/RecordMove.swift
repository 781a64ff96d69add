/// How a reply's compression pointers change when its records move behind another question and aliases.
struct RecordMove {
    /// The end of the question that the records were written for. A pointer to before it leads to the question's name.
    var questionEnd: Int
    /// The new offset of this name.
    var nameOffset: Int
    /// How many octets the records move towards the end of the message.
    var shift: Int

    /// - Returns: the new pointer; `nil` if its target is out of reach (RFC 1035 §4.1.4).
    func moved(_ pointer: UInt16) -> UInt16? {
        let target = Int(pointer & 0x3FFF)
        let moved = target < questionEnd ? target &- MessageHeader.byteCount &+ nameOffset : target &+ shift
        return moved <= 0x3FFF ? 0xC000 | UInt16(truncatingIfNeeded: moved) : nil
    }
}

extension OutputRawSpan {
    /// Adjusts the records' compression pointers to the new places, and sets the TTLs in ANSWER and AUTHORITY to the
    /// lowest one. If the owner of an address in ADDITIONAL is out of a pointer's reach, this address and all behind it
    /// are removed.
    ///
    /// - Parameters:
    ///   - header: the header of the reply that has these records.
    ///   - frame: the frame of that reply.
    ///   - identifier: the name server identifier, if the reply has it.
    ///   - ttl: another TTL that counts too, in seconds.
    /// - Returns: the lowest TTL, in seconds.
    @_lifetime(self: copy self)
    mutating func moveRecords(
        _ move: RecordMove, of header: MessageHeader, _ frame: ReplyFrame, _ identifier: OctetsView?, ttl: UInt32
    ) -> UInt32 {
        let count = Int(header.answerCount) &+ Int(header.authorityCount)
        var leastTTL = ttl
        var offset = move.questionEnd
        for _ in 0..<count {
            guard let place = moveName(at: offset, move), let found = bytes.uint32(at: place &+ 4) else { return 1 }
            leastTTL = min(leastTTL, found)
            moveData(behind: place, move)
            offset = end(ofRecordBehind: place)
        }
        let additionalStart = offset
        for number in 0..<header.additionalCount {
            let start = offset
            guard let place = moveName(at: offset, move) else {
                // OPT is the last record: it is removed too, and written again.
                removeLast(byteCount &- start)
                var count = number
                if let opt = frame.opt {
                    append(opt, code: header.flags & 0xF)
                    if let options = frame.options { append(options, identifier, nil, nil) }
                    count &+= 1
                }
                replace(at: HeaderOffset.additionalCount, bigEndian: count)
                break
            }
            offset = end(ofRecordBehind: place)
        }
        offset = move.questionEnd
        while offset < additionalStart {
            let place = Self.end(ofNameIn: bytes, at: offset).end
            replace(at: place &+ 4, bigEndian32: leastTTL)
            offset = end(ofRecordBehind: place)
        }
        return leastTTL
    }

    /// Adjusts the pointer of the name at `offset`, if it has one.
    ///
    /// - Returns: the offset behind the name's own octets; `nil` if the pointer's target would be out of reach.
    @_lifetime(self: copy self)
    private mutating func moveName(at offset: Int, _ move: RecordMove) -> Int? {
        let (end, pointer) = Self.end(ofNameIn: bytes, at: offset)
        guard let pointer else { return end }
        guard let moved = move.moved(pointer) else { return nil }
        replace(at: end &- 2, bigEndian: moved)
        return end
    }

    /// Adjusts pointers in a record's data. Of the types that our zones have, these contain names that may be
    /// compressed.
    @_lifetime(self: copy self)
    private mutating func moveData(behind place: Int, _ move: RecordMove) {
        let type = RecordType(rawValue: bytes.uint16(at: place) ?? 0)
        guard type == .soa || type == .ns || type == .ptr, let next = moveName(at: place &+ 10, move), type == .soa
        else { return }
        _ = moveName(at: next, move)
    }

    /// - Parameter place: the offset of a record's type, which follows its owner.
    private func end(ofRecordBehind place: Int) -> Int {
        place &+ 10 &+ Int(bytes.uint16(at: place &+ 8) ?? 0)
    }

    /// The offset behind the own octets of a name that this server has written, and the pointer with which it ends, if
    /// any.
    private static func end(ofNameIn message: RawSpan, at offset: Int) -> (end: Int, pointer: UInt16?) {
        var position = offset
        while let length = message.octet(at: position), length > 0 {
            if length >= 0xC0 { return (position &+ 2, message.uint16(at: position)) }
            position &+= 1 &+ Int(length)
        }
        return (position &+ 1, nil)
    }
}
