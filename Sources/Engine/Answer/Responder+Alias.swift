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
            let leastTTL = reply.moveRecords(move, of: header, own, ttl: ttl)
            reply.put(alias, ttl: leastTTL, to: message, before: move)
            // RFC 1034 §6.2.7: AA is about the name that was asked.
            reply.replace(at: HeaderOffset.flags, bigEndian: header.flags & ~HeaderFlags.authoritative)
            reply.replace(at: HeaderOffset.answerCount, bigEndian: header.answerCount &+ alias.answerCount)
        }
    }
}

extension AnswerRules {
    /// What a name gets that an alias leads to.
    ///
    /// - Parameter query: header and question.
    /// - Returns: ``Outcome/outside`` when it is not answered here.
    fileprivate func outcome(ofOwnName query: RawSpan) -> Outcome {
        let parsed = read(query, over: .udp)
        // What only some clients may know is in no foreign name's answer.
        if parsed.position != nil { return zoneOutcome(of: parsed, in: query, from: nil) }
        guard let question = parsed.question, let name = special.find(question.name(in: query)) else { return .outside }
        return outcome(of: question.type, for: name)
    }
}

extension OutputRawSpan {
    /// Puts question and aliases in front of the records of the name that these lead to.
    ///
    /// - Parameters:
    ///   - ttl: of the aliases, in seconds.
    ///   - query: asks for the first of them.
    ///   - move: what has become of the records.
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
