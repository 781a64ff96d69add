/// Answers for names outside that are aliases of names answered here.
extension Responder {
    /// The most octets of a negative answer's SOA record.
    private static let maximumSOAByteCount = 175

    /// Writes an answer whose aliases lead to a name that is answered here. The records of this name follow the
    /// aliases. They are looked up for this very reply, and are in rotation.
    ///
    /// The reply for that name is written first. Then the question and the aliases are put in front of its records, and
    /// the records' compression pointers are adjusted to the new places.
    ///
    /// - Parameter ttl: the TTL of the aliases, in seconds; all records get the lowest TTL of the answer.
    @inline(never)
    mutating func write(
        alias: CachedAnswer, ttl: UInt32, to message: RawSpan, frame: ReplyFrame, into reply: inout OutputRawSpan
    ) {
        let target = alias.ownQuery
        guard let end = frame.questionEnd, let question = Question(target) else {
            return writeFailure(.other, to: message, frame: frame, into: &reply)
        }
        let move = RecordMove(
            questionEnd: question.end, nameOffset: end &+ alias.ownNameOffset,
            shift: end &+ alias.body.byteCount &- question.end)
        guard move.shift >= 0, frame.hasRoom(for: alias.body.byteCount &+ Self.maximumSOAByteCount) else {
            return writeTruncated(ResponseCode.noError, to: message, frame: frame, into: &reply)
        }
        switch rules.outcome(ofOwnName: target) {
        case .error(let code):
            count(error: code)
            write(error: code, reason: .other, to: message, frame: frame, into: &reply)
        case .noInstance, .outside:
            writeFailure(.other, to: message, frame: frame, into: &reply)
        case let outcome:
            var own = frame
            own.questionEnd = question.end
            own.limit &-= move.shift
            write(outcome, to: target, frame: own, into: &reply)
            guard let header = MessageHeader(reply.bytes) else { return }
            let leastTTL = reply.moveRecords(move, of: header, own, rules.fixed.identifier, ttl: ttl)
            reply.put(alias, ttl: leastTTL, to: message, before: move)
            // RFC 1034 §6.2.7: AA refers to the name in the question.
            reply.replace(at: HeaderOffset.flags, bigEndian: header.flags & ~HeaderFlags.authoritative)
            reply.replace(at: HeaderOffset.answerCount, bigEndian: header.answerCount &+ alias.answerCount)
        }
    }
}

extension AnswerRules {
    /// Decides the answer for a name that an alias leads to.
    ///
    /// - Parameter query: a query for the name: header and question.
    /// - Returns: ``Outcome/outside`` if the name is not answered here.
    func outcome(ofOwnName query: RawSpan) -> Outcome {
        let parsed = read(query, over: .udp)
        // The answer for a foreign name must not contain what only some clients may know.
        if parsed.position != nil { return zoneOutcome(of: parsed, in: query, from: nil) }
        guard let question = parsed.question, let name = special.find(question.name(in: query)) else { return .outside }
        return outcome(of: question.type, for: name)
    }
}

extension OutputRawSpan {
    /// Puts the question and the aliases in front of the records of the name that they lead to.
    ///
    /// - Parameters:
    ///   - ttl: the TTL of the aliases, in seconds.
    ///   - query: the query that the reply answers.
    ///   - move: how the records move.
    @_lifetime(self: copy self)
    fileprivate mutating func put(_ alias: CachedAnswer, ttl: UInt32, to query: RawSpan, before move: RecordMove) {
        let end = move.questionEnd &+ move.shift &- alias.body.byteCount
        guard makeRoom(at: move.questionEnd, count: move.shift) else { return }
        replace(at: MessageHeader.byteCount, octets: query.extracting(MessageHeader.byteCount..<end))
        replace(at: end, octets: alias.body)
        let offsets = alias.ttlOffsets
        var place = 0
        while let offset = offsets.uint16(at: place) {
            replace(at: end &+ Int(offset), bigEndian32: ttl)
            place &+= 2
        }
    }
}
