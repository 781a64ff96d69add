/// Names outside that are aliases of names that are answered here.
extension Responder {
    /// Octets at most of a negative answer's SOA record.
    private static let maximumSOAByteCount = 175

    /// Writes an answer whose aliases lead to a name that is answered here, and behind them what there is for this
    /// name, looked up for this very reply and in its rotation.
    ///
    /// The reply to that name is written first; then the question and the aliases are put in front of its records,
    /// whose compression pointers are led to where things are then.
    ///
    /// - Parameter ttl: of the aliases, in seconds; all records get the least of the answer.
    @inline(never)
    mutating func write(
        alias: CachedAnswer, ttl: UInt32, _ frame: ReplyFrame, _ query: RawSpan, into reply: inout OutputRawSpan
    ) {
        let target = alias.ownQuery
        guard let end = frame.questionEnd, let question = Question(target) else { return }
        let byteCount = end &+ alias.body.byteCount
        let move = PointerMove(
            questionEnd: question.end, nameOffset: end &+ alias.ownNameOffset, shift: byteCount &- question.end)
        guard move.shift >= 0, byteCount &+ Self.maximumSOAByteCount &+ frame.reserved <= frame.limit else {
            return writeTruncated(ResponseCode.noError, frame, query, into: &reply)
        }
        var own = frame
        own.questionEnd = question.end
        own.limit = frame.limit &- move.shift
        // What only some clients may know is in no foreign name's answer.
        let transport: Transport = frame.limit == MessageSize.maximum ? .tcp : .udp
        if let parsed = ownName(target) {
            answer(question, parsed, own, target, transport, { nil }, into: &reply)
        } else if let name = special.find(question.name(in: target)) {
            answer(name, question.type, own, target, into: &reply)
        }
        guard let header = MessageHeader(reply.bytes) else {
            return writeFailure(.other, frame, query, into: &reply)
        }
        let code = header.flags & 0xF
        guard code == ResponseCode.noError || code == ResponseCode.nameError else {
            reply.removeAll()
            reply.begin(frame, query: query, flags: HeaderFlags.recursionAvailable, code: code)
            return reply.end(frame, additionalCount: 0, payload: offeredPayload, code: code, reason: .other)
        }
        let leastTTL = reply.moveRecords(move, of: header, own, payload: offeredPayload, ttl: ttl)
        guard reply.makeRoom(at: question.end, count: move.shift) else { return }
        reply.replace(at: MessageHeader.byteCount, octets: query.extracting(MessageHeader.byteCount..<end))
        reply.replace(at: end, octets: alias.body)
        let offsets = alias.ttlOffsets
        var place = 0
        while let offset = offsets.uint16(at: place) {
            reply.replace(at: end &+ Int(offset), bigEndian32: leastTTL)
            place &+= 2
        }
        // RFC 1034 §6.2.7: AA is about the name that was asked.
        let flags = header.flags & ~HeaderFlags.authoritative | HeaderFlags.recursionAvailable
        reply.replace(at: HeaderOffset.flags, bigEndian: flags)
        reply.replace(at: HeaderOffset.answerCount, bigEndian: header.answerCount &+ alias.answerCount)
    }

    /// A query for a name of ours, read.
    private func ownName(_ query: RawSpan) -> Query? {
        var parsed = Query(query)
        guard let question = parsed.question else { return nil }
        let name = question.name(in: query)
        for place in zones.indices where parsed.find(name, inZone: place, origin: zones[place].origin.span) {
            return parsed
        }
        return nil
    }
}

/// Where compression pointers of a reply have to lead once its records stand behind another question and aliases.
private struct PointerMove {
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
    /// - Returns: the least TTL, in seconds.
    @_lifetime(self: copy self)
    fileprivate mutating func moveRecords(
        _ move: PointerMove, of header: MessageHeader, _ frame: ReplyFrame, payload: UInt16, ttl: UInt32
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
                replace(at: HeaderOffset.additionalCount, bigEndian: number)
                end(frame, additionalCount: number, payload: payload, code: header.flags & 0xF)
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
    private mutating func moveName(at offset: Int, _ move: PointerMove) -> Int? {
        let (end, pointer) = Self.end(ofNameIn: bytes, at: offset)
        guard let pointer else { return end }
        guard let moved = move.moved(pointer) else { return nil }
        replace(at: end &- 2, bigEndian: moved)
        return end
    }

    /// Leads pointers in a record's data on: of the types that zones have, these have names that may be compressed.
    @_lifetime(self: copy self)
    private mutating func moveData(behind place: Int, _ move: PointerMove) {
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
