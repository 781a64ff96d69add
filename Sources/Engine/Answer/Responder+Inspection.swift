/// Answers for people who ask what a client would get. They change nothing: no counter, no rotation, no mark in the
/// cache.
extension Responder {
    /// Answers a query as if `client` had sent it.
    ///
    /// - Parameters:
    ///   - transport: over which it would come.
    ///   - reply: empty, with room for 65,535 octets.
    mutating func inspect(
        _ message: RawSpan, over transport: Transport, from client: IPAddress?, _ cache: inout CacheReading,
        into reply: inout OutputRawSpan
    ) -> Inspection {
        let counts = counters.counts
        defer { counters.restore(counts) }
        var inspection = Inspection(generation: generation)
        let query = read(message, over: transport, cache)
        guard let frame = rules.frame(for: query, from: client), let question = query.question else {
            return inspection
        }
        inspection.isTrusted = rules.outside.trusts(client)
        inspection.hasUpstreams = rules.outside.isOn
        let outcome = rules.outcome(of: query, in: message, frame: frame, from: client)
        if query.position != nil, query.zone < rules.zones.count {
            inspection.zone = rules.zones[query.zone].origin.span.array
            inspection.source = .zone
        } else if inspection.isTrusted, rules.special.find(question.name(in: message)) != nil {
            inspection.source = .special
        }
        switch outcome {
        case .outside:
            inspect(question, query.hash, in: message, frame, &cache, into: &reply, &inspection)
            return inspection
        case .records(let records):
            inspection.recordCount = Int(records.rrset.count)
            let state = rotation.state(of: records.rrset.rotated)
            write(outcome, to: message, frame: frame, into: &reply)
            rotation.restore(state, of: records.rrset.rotated)
        case .address:
            inspection.source = .address
            write(outcome, to: message, frame: frame, into: &reply)
        case .noInstance:
            inspection.isWithoutInstance = true
            write(outcome, to: message, frame: frame, into: &reply)
        default:
            write(outcome, to: message, frame: frame, into: &reply)
        }
        inspection.reply = reply.bytes.array
        return inspection
    }

    private mutating func inspect(
        _ question: Question, _ hash: UInt64, in message: RawSpan, _ frame: ReplyFrame, _ cache: inout CacheReading,
        into reply: inout OutputRawSpan, _ inspection: inout Inspection
    ) {
        inspection.source = .upstream
        let variant = AnswerVariant(frame)
        guard let answer = cache.find(question.name(in: message), question.type, variant, hash: hash) else { return }
        let now = cache.now
        guard now < answer.times.end else { return }
        inspection.cached = Inspection.Cached(
            age: (now - answer.time).duration, remaining: (answer.times.expiry - now).duration,
            remainingIfStale: (answer.times.end - now).duration, code: answer.code)
        guard now < answer.times.expiry else { return }
        inspection.source = .cache
        let outside = RotatedRRset(
            count: UInt32(answer.rotation.count), firstCell: answer.slot, stamp: 0, strategy: outsideStrategy)
        outsideRotation.grow(to: Int(answer.slot) &+ 1)
        let outsideState = outsideRotation.state(of: outside)
        var own: (state: [Int64], rrset: RotatedRRset)?
        if answer.leadsToOwnName, case .records(let records) = rules.outcome(ofOwnName: answer.ownQuery) {
            own = (rotation.state(of: records.rrset.rotated), records.rrset.rotated)
        }
        write(answer, ttl: answer.times.remainingTTL(now: now), to: message, frame: frame, into: &reply)
        outsideRotation.restore(outsideState, of: outside)
        if let own { rotation.restore(own.state, of: own.rrset) }
        inspection.reply = reply.bytes.array
    }
}
