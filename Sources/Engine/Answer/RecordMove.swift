/// Where compression pointers of a reply have to lead once its records stand behind another question and aliases.
struct RecordMove {
    /// Where the question ends that the records were written for: pointers to before lead to its name.
    var questionEnd: Int
    /// Where this name will stand.
    var nameOffset: Int
    /// How much further on the records will stand.
    var shift: Int

    /// - Returns: `nil` when it is out of a pointer's reach (RFC 1035 §4.1.4).
    func moved(_ pointer: UInt16) -> UInt16? {
        let target = Int(pointer & 0x3FFF)
        let moved = target < questionEnd ? target &- MessageHeader.byteCount &+ nameOffset : target &+ shift
        return moved <= 0x3FFF ? 0xC000 | UInt16(truncatingIfNeeded: moved) : nil
    }
}

extension OutputRawSpan {
    /// Leads the records' compression pointers to where things will be, and sets the TTLs of ANSWER and AUTHORITY to
    /// the least. Addresses in ADDITIONAL that their owners can't point to any longer go.
    ///
    /// - Parameters:
    ///   - header: of the reply, whose records these are.
    ///   - frame: what it must look like.
    ///   - ttl: another TTL, in seconds, that counts too.
    /// - Returns: the least TTL, in seconds.
    @_lifetime(self: copy self)
    mutating func moveRecords(
        _ move: RecordMove, of header: MessageHeader, _ frame: ReplyFrame, ttl: UInt32
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
                // OPT is the last of all.
                removeLast(byteCount &- start)
                var count = number
                if let opt = frame.opt {
                    append(opt, code: header.flags & 0xF)
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

    /// - Returns: where the name at `offset` ends at its place; `nil` when its pointer can't be led where it should.
    @_lifetime(self: copy self)
    private mutating func moveName(at offset: Int, _ move: RecordMove) -> Int? {
        let (end, pointer) = Self.end(ofNameIn: bytes, at: offset)
        guard let pointer else { return end }
        guard let moved = move.moved(pointer) else { return nil }
        replace(at: end &- 2, bigEndian: moved)
        return end
    }

    /// Leads pointers in a record's data on: of the types that zones have, these have names that may be compressed.
    @_lifetime(self: copy self)
    private mutating func moveData(behind place: Int, _ move: RecordMove) {
        let type = RecordType(rawValue: bytes.uint16(at: place) ?? 0)
        guard type == .soa || type == .ns || type == .ptr, let next = moveName(at: place &+ 10, move), type == .soa
        else { return }
        _ = moveName(at: next, move)
    }

    /// - Parameter place: where a record's type is, behind its owner.
    private func end(ofRecordBehind place: Int) -> Int {
        place &+ 10 &+ Int(bytes.uint16(at: place &+ 8) ?? 0)
    }

    /// Where a name that this server has written ends at its place, and the pointer that it ends with.
    private static func end(ofNameIn message: RawSpan, at offset: Int) -> (end: Int, pointer: UInt16?) {
        var position = offset
        while let length = message.octet(at: position), length > 0 {
            if length >= 0xC0 { return (position &+ 2, message.uint16(at: position)) }
            position &+= 1 &+ Int(length)
        }
        return (position &+ 1, nil)
    }
}
