/// What happened to a query.
enum Disposition {
    /// A reply was written.
    case reply
    /// There must be no reply.
    case silence
    /// An upstream has to be asked first: see ``Responder/deferred``.
    case forward
    /// A reply was written from the cache, and the answer should be refreshed: see ``Responder/deferred``.
    case replyAndRefresh
}

/// Answers a worker's queries: a query in, a reply out. Its ``AnswerRules`` decide the answer. The responder owns what
/// changes with each answer: the rotation and the counters. It knows no sockets.
struct Responder: ~Copyable {
    /// The rules that decide the answers.
    private(set) var rules: AnswerRules
    /// The rotation of the zones' records.
    var rotation: WorkerRotation
    /// The rotation of the addresses in upstreams' answers. It is a separate one, because these have no weights.
    var outsideRotation: WorkerRotation
    let outsideStrategy: RotationStrategyName
    let counters: WorkerCounters
    /// Limits equal responses; `nil`: there is no limit.
    private(set) var rateLimit: ResponseRateLimit?
    /// The same, without a reference to count.
    private(set) var limiter: ResponseRateLimit.View?
    /// The last query that was answered ``Disposition/forward`` or ``Disposition/replyAndRefresh``.
    var deferred: DeferredQuery?

    init(rules: AnswerRules, strategy: RotationStrategyName, counters: WorkerCounters) {
        rotation = WorkerRotation()
        outsideRotation = WorkerRotation()
        outsideStrategy = strategy == .random ? .random : .roundRobin
        rotation.grow(to: rules.cellCount)
        self.rules = rules
        self.counters = counters
    }

    /// The generation of the snapshot from which queries are answered.
    var generation: UInt64 { rules.generation }

    /// Answers from `next` from now on.
    mutating func adopt(_ next: ZoneSnapshot) {
        rotation.grow(to: next.cellCount)
        rules = rules.with(next)
    }

    /// Sets the clients that get longer answers over UDP from now on.
    mutating func adopt(_ largeUDP: LargeUDP) { rules = rules.with(largeUDP: largeUDP) }

    /// Sets the clients that may resolve names outside from now on.
    mutating func adopt(_ outside: OutsideAccess) { rules = rules.with(outside: outside) }

    /// Sets how the engine defends itself from now on.
    mutating func adopt(_ defence: DefenceSettings) {
        rules = rules.with(defence: defence)
        rateLimit = defence.rateLimit
        limiter = defence.rateLimit?.view
    }

    /// Reads a query, and prefetches the reference to the octets that its answer will be copied from.
    @inline(__always)
    func read(_ message: RawSpan, over transport: Transport, _ cache: borrowing CacheReading) -> Query {
        var query = rules.read(message, over: transport)
        if query.position == nil, rules.outside.isOn, let question = query.question {
            query.hash = NameHash.hash(question.name(in: message), type: question.type)
            cache.prefetchLink(query.hash)
        }
        return query
    }

    /// Prefetches the octets that the answer will be copied from. The query was read some queries earlier.
    @inline(__always)
    func prefetch(for query: Query, _ cache: inout CacheReading) {
        guard query.hash != 0 else { return }
        if query.position == nil { cache.prefetchEntry(query.hash) } else { rules.prefetch(for: query) }
    }

    /// Finds where the answer is, and prefetches whose turn it is. The octets were prefetched some queries earlier.
    @inline(__always)
    func locate(_ query: inout Query, in message: RawSpan) {
        guard query.hash != 0, query.position != nil, let cell = rules.locate(&query, in: message) else { return }
        rotation.prefetch(Int(cell))
    }

    /// Writes the reply to a query.
    ///
    /// - Parameters:
    ///   - message: the query.
    ///   - query: the result of ``read(_:over:_:)``.
    ///   - client: the client's address.
    ///   - cache: the answers for names outside.
    ///   - reply: empty, with room for 65,535 octets over TCP, and otherwise for the longest datagram.
    @inline(__always)
    mutating func respond(
        to message: RawSpan, as query: Query, from client: IPAddress?, cache: inout CacheReading,
        into reply: inout OutputRawSpan
    ) -> Disposition {
        switch query.transport {
        case .udp: counters.count(.udpQueries)
        case .tcp: counters.count(.tcpQueries)
        }
        counters.count(type: query.question?.type.rawValue ?? 0)
        guard var frame = rules.frame(for: query, from: client) else {
            counters.count(.dropped)
            return .silence
        }
        var isKnown = false
        if case .present(let edns) = query.rest, !edns.options.isEmpty {
            (frame.options, isKnown) = options(for: edns, in: message, from: client, frame)
        }
        let outcome = rules.outcome(of: query, in: message, frame: frame, from: client)
        if let limiter, query.transport == .udp, !isKnown {
            let verdict = self.verdict(on: outcome, of: query, from: client, limiter, now: cache.now)
            if verdict != .send {
                return limit(outcome, verdict, to: message, from: client, frame: frame, into: &reply)
            }
        }
        if case .outside = outcome {
            return answerOutside(query, in: message, frame: frame, cache: &cache, into: &reply)
        }
        write(outcome, to: message, frame: frame, into: &reply)
        if query.question?.recordClass == RecordClass.any {
            // RFC 1035 §6.2: an answer for all classes is no authority's unless it covers all of them.
            let flags = reply.bytes.uint16(at: HeaderOffset.flags) ?? 0
            reply.replace(at: HeaderOffset.flags, bigEndian: flags & ~HeaderFlags.authoritative)
        }
        return .reply
    }

    /// Writes an answer of this server itself.
    ///
    /// - Parameters:
    ///   - message: the query.
    ///   - frame: the properties of the reply that don't depend on the answer.
    @inline(__always)
    mutating func write(
        _ outcome: Outcome, to message: RawSpan, frame: ReplyFrame, into reply: inout OutputRawSpan
    ) {
        var writer = ReplyWriter(frame, to: message, into: reply)
        switch outcome {
        case .records(let records):
            counters.count(.answered)
            writer.setAuthoritative()
            writer.append(records, in: &rotation)
            if writer.isTruncated { counters.count(.truncated) }
            // RFC 8914: clients with EDNS get the reason, if there is room for it.
            if records.rrset.isStale, writer.hasRoomForReason {
                reply = writer.end(frame, rules, reason: .staleAnswer)
                return
            }
        case .record(let record):
            counters.count(.answered)
            writer.setAuthoritative()
            writer.append(answer: record.span)
        case .address(let address, let zone):
            counters.count(.answered)
            writer.setAuthoritative()
            if let synthesis = rules.synthesis(ofZone: zone) { writer.append(answer: address, as: synthesis) }
        case .noData(let soa, let zoneOffset):
            counters.count(.noData)
            writer.setAuthoritative()
            writer.append(authority: soa, zoneOffset: zoneOffset)
        case .nameError(let soa, let zoneOffset):
            counters.count(.nameErrors)
            writer.setAuthoritative()
            writer.set(code: ResponseCode.nameError)
            writer.append(authority: soa, zoneOffset: zoneOffset)
        case .noInstance:
            counters.count(.serverFailures)
            writer.set(code: ResponseCode.serverFailure)
            // RFC 8914: clients with EDNS get the reason.
            reply = writer.end(frame, rules, reason: .other, text: rules.fixed.noInstance)
            return
        case .error(let code):
            count(error: code)
            writer.set(code: code)
        case .refused(let reason):
            count(error: ResponseCode.refused)
            writer.set(code: ResponseCode.refused)
            // RFC 8914: clients with EDNS get the reason.
            reply = writer.end(frame, rules, reason: reason)
            return
        case .unknownKey:
            count(error: ResponseCode.notAuthoritative)
            writer.set(code: ResponseCode.notAuthoritative)
            reply = writer.end(frame, rules)
            appendUnknownKey(to: message, frame: frame, into: &reply)
            return
        case .outside:
            // This is not written here.
            break
        }
        reply = writer.end(frame, rules)
    }

    /// Appends the record that tells a client that its key is not known here.
    private func appendUnknownKey(to message: RawSpan, frame: ReplyFrame, into reply: inout OutputRawSpan) {
        guard let header = MessageHeader(message), let end = frame.questionEnd,
            case .present(let signature) = TransactionSignature.read(message, header, from: end)
        else { return }
        signature.appendUnknownKey(of: message, to: &reply, limit: frame.limit)
    }

    /// Counts a reply without records.
    func count(error code: UInt16) {
        switch code {
        case ResponseCode.noError: counters.count(.noData)
        case ResponseCode.formatError: counters.count(.formatErrors)
        case ResponseCode.notImplemented: counters.count(.notImplemented)
        case ResponseCode.badVersion: counters.count(.badVersions)
        default: counters.count(.refused)
        }
    }

    /// Writes SERVFAIL for a name outside.
    func writeFailure(
        _ reason: ExtendedError, to message: RawSpan, frame: ReplyFrame, into reply: inout OutputRawSpan
    ) {
        counters.count(.serverFailures)
        write(error: ResponseCode.serverFailure, reason: reason, to: message, frame: frame, into: &reply)
    }

    /// Writes a response code with the reason for it, and does not count it.
    func write(
        error code: UInt16, reason: ExtendedError, to message: RawSpan, frame: ReplyFrame,
        into reply: inout OutputRawSpan
    ) {
        var writer = ReplyWriter(frame, to: message, into: reply)
        writer.set(code: code)
        reply = writer.end(frame, rules, reason: reason)
    }
}
