/// What is noted of the queries that were chosen.
extension QueryObserver {
    /// Notes the chosen queries of a batch that was answered. Those that wait for their answer are marked.
    ///
    /// - Parameters:
    ///   - arrival: when the batch was received.
    ///   - rules: those by which it was answered.
    @inline(never)
    func record(
        _ places: SampledPlaces, of batch: UDPBatch, arrival: MonotonicTime, by rules: AnswerRules,
        _ answering: inout BatchAnswering
    ) {
        let now = MonotonicTime.now
        var slot = 0
        var left = places.timed | places.logged
        while left != 0 {
            let place = left.trailingZeroBitCount
            left &= left &- 1
            let query = batch.message(place)
            let sample = places.sample(at: place, arrival: arrival, byteCount: query.byteCount)
            // Replies are in the order of the queries.
            while let next = batch.place(ofReply: slot), next < place { slot &+= 1 }
            guard batch.place(ofReply: slot) == place else {
                answering.note(sample, ofQueryAt: place)
                continue
            }
            let client = batch.client(place)
            record(
                sample, query, batch.reply(slot), rules.origin(of: query, over: .udp, from: client), over: .udp,
                from: client, now: now)
        }
    }

    /// Notes a query that was answered.
    ///
    /// - Parameters:
    ///   - query: at least its header and question.
    ///   - origin: what the reply's header does not tell.
    @inline(never)
    func record(
        _ sample: QuerySample, _ query: RawSpan, _ reply: RawSpan, _ origin: QueryOrigin, over transport: Transport,
        from client: IPAddress?, now: MonotonicTime
    ) {
        let duration = now - sample.arrival
        if sample.isTimed {
            histograms.add(
                origin.source, duration, requestBytes: Int(sample.byteCount), replyBytes: reply.byteCount)
        }
        guard sample.isLogged, let ring, let header = MessageHeader(query) else { return }
        let question = header.questionCount == 1 ? Question(query) : nil
        let entry = QueryRing.Entry(
            sample: sample, origin: origin, duration: duration, client: client?.unmapped, isTCP: transport == .tcp,
            type: question?.type.rawValue ?? 0, flags: header.flags,
            replyFlags: reply.uint16(at: HeaderOffset.flags) ?? 0,
            answerCount: reply.uint16(at: HeaderOffset.answerCount) ?? 0,
            replyByteCount: UInt16(clamping: reply.byteCount))
        if let question {
            ring.append(entry, name: question.name(in: query))
        } else {
            ring.append(entry, name: RawSpan())
        }
    }
}
