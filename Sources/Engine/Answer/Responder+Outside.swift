/// A query that has to wait for an upstream, or whose cached answer should be refreshed.
struct DeferredQuery {
    var frame: ReplyFrame
    var question: Question
    /// Whether the client has got its answer already.
    var isRefresh: Bool
    /// Its place in its batch.
    var place = 0
    /// What is noted of it once it is answered.
    var sample: QuerySample?
}

/// Answers for names outside the zones.
extension Responder {
    /// Answers from the cache, if it has an answer.
    @inline(__always)
    mutating func answerOutside(
        _ query: Query, in message: RawSpan, frame: ReplyFrame, cache: inout CacheReading,
        into reply: inout OutputRawSpan
    ) -> Disposition {
        guard let question = query.question else { return .silence }
        var frame = frame
        frame.flags |= query.header?.checkingDisabled ?? 0
        let variant = AnswerVariant(frame)
        guard let answer = cache.find(question.name(in: message), question.type, variant, hash: query.hash),
            cache.now < answer.times.expiry
        else {
            counters.count(.cacheMisses)
            deferred = DeferredQuery(frame: frame, question: question, isRefresh: false)
            return .forward
        }
        counters.count(.cacheHits)
        let now = cache.now
        write(answer, ttl: answer.times.remainingTTL(now: now), to: message, frame: frame, into: &reply)
        let wasHit = answer.wasHit
        answer.noteHit()
        guard wasHit, answer.claimRefresh(now: now) else { return .reply }
        counters.count(.prefetches)
        deferred = DeferredQuery(frame: frame, question: question, isRefresh: true)
        return .replyAndRefresh
    }

    /// Writes an upstream's answer with its addresses in rotation. If there is no room for it, the reply has TC and no
    /// records.
    ///
    /// - Parameters:
    ///   - ttl: the TTL of all its records, in seconds.
    ///   - reason: the extended error for clients with EDNS.
    @inline(__always)
    mutating func write(
        _ answer: CachedAnswer, ttl: UInt32, reason: ExtendedError? = nil, to message: RawSpan, frame: ReplyFrame,
        into reply: inout OutputRawSpan
    ) {
        if answer.leadsToOwnName { return write(alias: answer, ttl: ttl, to: message, frame: frame, into: &reply) }
        switch answer.code {
        case ResponseCode.noError where answer.answerCount > 0: counters.count(.answered)
        case ResponseCode.noError: counters.count(.noData)
        case ResponseCode.nameError: counters.count(.nameErrors)
        default: break
        }
        guard frame.hasRoom(for: answer.body.byteCount, reason: reason) else {
            return writeTruncated(answer.code, to: message, frame: frame, into: &reply)
        }
        var writer = ReplyWriter(frame, to: message, into: reply)
        writer.set(code: answer.code)
        let shift = answer.rotation.count > 1 ? first(of: answer) : 0
        writer.append(answer, ttl: ttl, shift: shift)
        reply = writer.end(frame, rules, reason: reason)
    }

    /// The index of the address that comes first in an answer.
    @inline(__always)
    private mutating func first(of answer: CachedAnswer) -> Int {
        outsideRotation.grow(to: Int(answer.slot) &+ 1)
        let rrset = RotatedRRset(
            count: UInt32(answer.rotation.count), firstCell: answer.slot, stamp: 0, strategy: outsideStrategy)
        return outsideRotation.first(of: rrset, weights: Span())
    }

    /// Writes a reply with TC and no records, because there is no room for the answer.
    func writeTruncated(
        _ code: UInt16, to message: RawSpan, frame: ReplyFrame, into reply: inout OutputRawSpan
    ) {
        counters.count(.truncated)
        var writer = ReplyWriter(frame, to: message, into: reply)
        writer.set(code: code)
        writer.setTruncated()
        reply = writer.end(frame, rules)
    }
}

extension ReplyFrame {
    /// Whether there is room for records of this many octets, and for OPT with a reason.
    @inline(__always)
    func hasRoom(for byteCount: Int, reason: ExtendedError? = nil) -> Bool {
        let option = opt == nil || reason == nil ? 0 : ExtendedError.byteCount
        return (questionEnd ?? 0) &+ byteCount &+ reserved &+ option <= limit
    }
}

extension ReplyWriter {
    /// Writes ANSWER and AUTHORITY of an upstream's answer.
    ///
    /// - Parameters:
    ///   - ttl: the TTL of all records, in seconds.
    ///   - shift: the index of the address that comes first.
    @inline(__always)
    @_lifetime(self: copy self)
    fileprivate mutating func append(_ answer: CachedAnswer, ttl: UInt32, shift: Int) {
        let start = octets.byteCount
        octets.append(octets: answer.body)
        set(answerCount: answer.answerCount)
        set(authorityCount: answer.authorityCount)
        let offsets = answer.ttlOffsets
        var place = 0
        while let offset = offsets.uint16(at: place) {
            octets.replace(at: start &+ Int(offset), bigEndian32: ttl)
            place &+= 2
        }
        if shift > 0 { rotate(answer, from: start, by: shift) }
    }

    /// Rotates the addresses. Only their data moves, which follows TTL and RDLENGTH.
    ///
    /// - Parameter start: the offset of the answer's records.
    @inline(__always)
    @_lifetime(self: copy self)
    private mutating func rotate(_ answer: CachedAnswer, from start: Int, by shift: Int) {
        let body = answer.body
        let offsets = answer.ttlOffsets
        let rotation = answer.rotation
        let first = Int(rotation.first)
        let count = Int(rotation.count)
        let byteCount = Int(rotation.dataByteCount)
        for index in 0..<count {
            let source = index &+ shift < count ? index &+ shift : index &+ shift &- count
            guard let target = offsets.uint16(at: 2 &* (first &+ index)),
                let origin = offsets.uint16(at: 2 &* (first &+ source))
            else { return }
            let from = Int(origin) &+ 6
            guard from &+ byteCount <= body.byteCount else { return }
            octets.replace(at: start &+ Int(target) &+ 6, octets: body.extracting(from..<(from &+ byteCount)))
        }
    }
}
