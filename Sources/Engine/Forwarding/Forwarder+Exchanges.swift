/// Reports what comes back from upstreams to the questions' resolutions, and carries out what they decide.
extension Forwarder {
    /// Reports an event to a question's resolution, and carries out its actions.
    ///
    /// Actions are carried out one after the other, and their results are reported at once. Nothing else is reported in
    /// between, see ``ExchangeOwner``.
    ///
    /// - Parameter content: the answer for ``Resolution/Action/reply`` and ``Resolution/Action/follow``.
    func handle(
        _ event: Resolution.Event, of query: PendingQuery, _ content: AnswerContent? = nil, now: MonotonicTime
    ) {
        var actions: [Resolution.Action] = []
        swap(&actions, &spareActions)
        query.resolution.handle(event, now: now, &actions)
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            switch action {
            case .choose(let purpose): choose(purpose, for: query, now: now, &actions)
            case .send(let number):
                let request = request(query, number)
                guard let exchange = transport.send(request, now: now, &random) else {
                    query.resolution.handle(.unsent(number), now: now, &actions)
                    break
                }
                counters.count(.upstreamUDPQueries)
                query.add(exchange)
            case .connect(let number, let time):
                if connect(number, for: query, now: now, &actions) { wait(for: query, until: time) }
            case .reconnect(let number): _ = connect(number, for: query, now: now, &actions)
            case .wait(let time): wait(for: query, until: time)
            case .overdue(let number): noteOverdue(query, number, now: now)
            case .learn(let index, let finding):
                let upstream = query.upstreams[index]
                upstream.note(finding, now: now)
                if finding == .unreachable { probeIfNeeded(upstream, now: now) }
            case .count(let counter): counters.count(counter)
            case .reply: if let content { reply(to: query, content, now: now) }
            case .follow: if let content { follow(content, for: query, now: now) }
            case .fail(let reason): fail(query, reason, now: now)
            case .giveWay: giveWay(query, now: now)
            case .close:
                stopWaiting(for: query)
                query.stopAll(now: now)
            }
        }
        actions.removeAll(keepingCapacity: true)
        swap(&actions, &spareActions)
    }

    private func connect(
        _ number: Int, for query: PendingQuery, now: MonotonicTime, _ actions: inout [Resolution.Action]
    ) -> Bool {
        guard let exchange = transport.sendOverTCP(request(query, number), now: now, &random) else {
            query.resolution.handle(.unsent(number), now: now, &actions)
            return false
        }
        query.add(exchange)
        return true
    }

    private func choose(
        _ purpose: Resolution.Purpose, for query: PendingQuery, now: MonotonicTime,
        _ actions: inout [Resolution.Action]
    ) {
        let upstreams = query.upstreams
        if purpose == .hedge, forwarding.isCrowded {
            counters.count(.withheldHedges)
            return query.resolution.handle(.chosen(nil, purpose), now: now, &actions)
        }
        // Another server's check whether we lead back to it must be forwarded like any other question.
        let mayLeadBack = LoopName.number(of: query.key.name) != nil
        let choice: UpstreamSet.Choice?
        if purpose == .first {
            choice = upstreams.choose(
                asked: [], excluded: [], mayLeadBack: mayLeadBack, now: now, random: random.next())
        } else {
            // If two attempts could not be sent, the first may have made the question fail.
            guard query.resolution.phase == .asking else { return }
            choice = upstreams.choose(
                asked: query.resolution.asked, excluded: query.resolution.excluded, mayLeadBack: mayLeadBack, now: now,
                random: random.next())
        }
        query.resolution.handle(
            .chosen(choice.map { upstreams.details(of: $0.index) }, purpose), now: now, &actions)
        guard let other = choice?.explored else { return }
        query.resolution.handle(.exploring(upstreams.details(of: other)), now: now, &actions)
    }

    private func request(_ query: PendingQuery, _ number: Int) -> UpstreamTransport.Request {
        let attempt = query.resolution.attempts[number]
        return UpstreamTransport.Request(
            upstream: query.upstreams[attempt.upstream], key: currentKey(of: query), form: attempt.form, owner: query,
            number: UInt8(truncatingIfNeeded: number), deadline: query.resolution.deadline)
    }

    private func noteOverdue(_ query: PendingQuery, _ number: Int, now: MonotonicTime) {
        guard let exchange = query.exchange(UInt8(truncatingIfNeeded: number)) else { return }
        if query.resolution.attempts[number].transport != .datagram {
            exchange.connection?.noteOverdue(exchange, now: now)
        } else {
            exchange.upstream.overdue(sentAt: exchange.sentAt)
            probeIfNeeded(exchange.upstream, now: now)
        }
    }

    // MARK: What comes back

    /// Handles a message that has arrived for a question.
    ///
    /// - Parameter arrival: when it arrived, if that was earlier.
    func received(
        _ message: RawSpan, on exchange: UpstreamExchange, as delivery: UpstreamResponse.Delivery,
        for query: PendingQuery,
        arrival: MonotonicTime? = nil
    ) {
        let now = MonotonicTime.now
        loop.noteWork(now: now)
        var response = UpstreamResponse.read(message, exchange.expectation, delivery, own: forwarding.own)
        // A lingering question has no aliases any more; those under its key may belong to another query.
        if query.resolution.hopCount > 0, query.resolution.phase == .asking { response = joined(response, for: query) }
        let use: UpstreamHealth.Use
        switch response {
        case .unrelated: return counters.count(.wrongAnswers)
        case .otherCase:
            counters.count(.wrongAnswers)
            return handle(.otherCase(Int(exchange.number), exchange.upstream.features), of: query, now: now)
        case .truncated, .withoutEDNS: use = .undecided
        case .failure: use = .useless
        case .answer: use = .useful
        }
        // Note it first: decisions made now, and the choice of the next upstream, depend on it.
        let features = exchange.upstream.answered(sentAt: exchange.sentAt, now: arrival ?? now, use)
        if delivery == .stream, features.failedConnections > 0 { exchange.upstream.learn { $0.connectionAnswered() } }
        exchange.stop(now: now)
        query.remove(exchange)
        let number = Int(exchange.number)
        switch response {
        case .unrelated, .otherCase: break
        case .truncated: handle(.answered(number, .truncated, features), of: query, now: now)
        case .withoutEDNS: handle(.answered(number, .withoutEDNS, features), of: query, now: now)
        case .failure: handle(.answered(number, .failure, features), of: query, now: now)
        case .answer(let content):
            // Over UDP the letters are those of the query, or it would not count as the answer. Mostly they tell
            // nothing new.
            let isKnown = delivery != .stream && !(exchange.expectation.checksCase && features.wantsCaseSeen(at: now))
            let letters = isKnown ? .small : exchange.expectation.letters(in: message)
            let answer = Resolution.Answer.content(
                isCacheable: content.isCacheable, letters, leadsOn: content.leadsOutside)
            handle(.answered(number, answer, features), of: query, content, now: now)
        }
    }

    /// Handles a long answer that will be read later.
    func postponed(
        _ message: [UInt8], on exchange: UpstreamExchange, by delay: Nanoseconds, for query: PendingQuery
    ) {
        let now = MonotonicTime.now
        call(.longAnswer(query, exchange, message, arrival: now), at: now + delay)
        handle(.postponed(Int(exchange.number)), of: query, now: now)
    }

    /// Handles a message that says that nobody is there.
    func refused(_ exchange: UpstreamExchange, for query: PendingQuery) {
        let now = MonotonicTime.now
        probeIfNeeded(exchange.upstream, now: now)
        handle(.refused(Int(exchange.number)), of: query, now: now)
    }

    /// Handles the end of an exchange without an answer.
    func ended(_ exchange: UpstreamExchange, _ end: ExchangeEnd, for query: PendingQuery) {
        query.remove(exchange)
        handle(.ended(Int(exchange.number), end), of: query, now: .now)
    }

    // MARK: Probes

    /// Begins to probe an upstream if it is suspect, leads back here, or may do so, and is not being probed yet.
    func probeIfNeeded(_ upstream: Upstream, now: MonotonicTime) {
        if let schedule = upstream.beginProbing() { call(.probe(upstream, schedule), at: now) }
    }

    func probe(_ index: Int, now: MonotonicTime) {
        let upstream = settings.upstreams[index]
        checkForLoop(upstream, now: now)
        guard upstream.health.isSuspect else { return }
        let root = CacheKey(name: [UInt8]([0]).rawSpan, type: .ns, variant: [])
        let query = PendingQuery(
            key: root, upstreams: settings.upstreams, deadline: now + Resolution.lingering, network: 0, forwarder: self)
        handle(.probing(index, settings.upstreams.features(of: index)), of: query, now: now)
    }
}

extension UpstreamResponse.Expectation {
    /// How the letters of an answer's name compare with the query's.
    fileprivate func letters(in message: RawSpan) -> Resolution.Answer.Letters {
        guard isRepeated(in: message) else { return .changed }
        return hasCapitals ? .repeated : .small
    }
}

extension UpstreamSet {
    /// The part of a chosen upstream's state that a resolution needs.
    fileprivate func details(of index: Int) -> Resolution.Choice {
        Resolution.Choice(upstream: index, features: features(of: index), hedgeDelay: self[index].health.hedgeDelay)
    }
}
