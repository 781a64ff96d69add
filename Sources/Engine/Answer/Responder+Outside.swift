/// A query that has to wait for an upstream, or whose answer is worth asking for again.
struct DeferredQuery {
    var frame: ReplyFrame
    var question: Question
    /// Whether the client has its answer already.
    var isRefresh: Bool
    /// Where in its batch it is.
    var place = 0
}

/// Names outside the zone.
extension Responder {
    /// Answers from the cache, if the client may have that, and the cache has it.
    @inline(__always)
    mutating func answerOutside(
        _ question: Question, _ hash: UInt64, _ frame: ReplyFrame, _ query: RawSpan, _ cache: inout CacheReading,
        into reply: inout OutputRawSpan
    ) -> Disposition {
        guard frame.recursionAvailable != 0, frame.header.flags & HeaderFlags.recursionDesired != 0 else {
            writeError(ResponseCode.refused, frame, query, into: &reply)
            return .reply
        }
        let variant = AnswerVariant(header: frame.header, edns: frame.edns)
        guard let answer = cache.find(question.name(in: query), question.type, variant, hash: hash),
            cache.now < answer.times.expiry
        else {
            counters.count(.cacheMisses)
            deferred = DeferredQuery(frame: frame, question: question, isRefresh: false)
            return .forward
        }
        counters.count(.cacheHits)
        let now = cache.now
        write(answer, ttl: answer.times.remainingTTL(now: now), frame, query, into: &reply)
        let isPopular = answer.isPopular
        answer.noteAsked()
        guard isPopular, answer.claimRefresh(now: now) else { return .reply }
        counters.count(.prefetches)
        deferred = DeferredQuery(frame: frame, question: question, isRefresh: true)
        return .replyAndRefresh
    }

    /// Writes an upstream's answer, its addresses in rotation; as TC alone when it does not fit.
    ///
    /// - Parameters:
    ///   - ttl: of all its records, in seconds.
    ///   - reason: what is told to clients with EDNS.
    @inline(__always)
    mutating func write(
        _ answer: CachedAnswer, ttl: UInt32, _ frame: ReplyFrame, _ query: RawSpan, reason: ExtendedError? = nil,
        into reply: inout OutputRawSpan
    ) {
        if answer.leadsToOwnName { return write(alias: answer, ttl: ttl, frame, query, into: &reply) }
        switch answer.code {
        case ResponseCode.noError where answer.answerCount > 0: counters.count(.answered)
        case ResponseCode.noError: counters.count(.noData)
        case ResponseCode.nameError: counters.count(.nameErrors)
        default: break
        }
        let body = answer.body
        let start = frame.questionEnd ?? 0
        let reserved = frame.edns == nil ? 0 : frame.reserved &+ (reason == nil ? 0 : ExtendedError.byteCount)
        guard start &+ body.byteCount &+ reserved <= frame.limit else {
            return writeTruncated(answer.code, frame, query, into: &reply)
        }
        reply.begin(frame, query: query, flags: HeaderFlags.recursionAvailable, code: answer.code)
        reply.replace(at: HeaderOffset.answerCount, bigEndian: answer.answerCount)
        reply.replace(at: HeaderOffset.authorityCount, bigEndian: answer.authorityCount)
        reply.append(octets: body)
        let offsets = answer.ttlOffsets
        var place = 0
        while let offset = offsets.uint16(at: place) {
            reply.replace(at: start &+ Int(offset), bigEndian32: ttl)
            place &+= 2
        }
        if answer.rotation.count > 1 { rotate(answer, body, offsets, start: start, &reply) }
        reply.end(frame, additionalCount: 0, payload: offeredPayload, code: answer.code, reason: reason)
    }

    /// Writes TC alone: the answer does not fit.
    func writeTruncated(_ code: UInt16, _ frame: ReplyFrame, _ query: RawSpan, into reply: inout OutputRawSpan) {
        counters.count(.truncated)
        let flags = HeaderFlags.recursionAvailable | HeaderFlags.truncated
        reply.begin(frame, query: query, flags: flags, code: code)
        reply.end(frame, additionalCount: 0, payload: offeredPayload, code: code)
    }

    /// Lets the addresses change places: their data alone, which stands behind TTL and RDLENGTH.
    @inline(__always)
    private mutating func rotate(
        _ answer: CachedAnswer, _ body: RawSpan, _ offsets: RawSpan, start: Int, _ reply: inout OutputRawSpan
    ) {
        let shift = outside.first(of: answer)
        guard shift > 0 else { return }
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
            reply.replace(at: start &+ Int(target) &+ 6, octets: body.extracting(from..<(from &+ byteCount)))
        }
    }

    /// Writes SERVFAIL for a name outside.
    func writeFailure(_ reason: ExtendedError, _ frame: ReplyFrame, _ query: RawSpan, into reply: inout OutputRawSpan) {
        counters.count(.serverFailures)
        let code = ResponseCode.serverFailure
        reply.begin(frame, query: query, flags: HeaderFlags.recursionAvailable, code: code)
        reply.end(frame, additionalCount: 0, payload: offeredPayload, code: code, reason: reason)
    }
}
