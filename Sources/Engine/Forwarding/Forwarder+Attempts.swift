/// Single queries to single upstreams, and what comes back.
extension Forwarder {
    /// Asks an upstream in the way that it is known to understand.
    func attempt(_ query: PendingQuery, _ upstream: Int, now: MonotonicTime) {
        let features = query.upstreams[upstream].features
        // DNSSEC records come with EDNS alone.
        let usesEDNS = features.usesEDNS(at: now) || query.key.variant.contains(.dnssecOK)
        let form = UpstreamQuery.Form(usesEDNS: usesEDNS, mixesCase: features.casePreservation(at: now) != .no)
        attempt(query, upstream, form, now: now)
    }

    /// Asks an upstream over UDP.
    ///
    /// - Parameter lesson: what its answer shows.
    private func attempt(
        _ query: PendingQuery, _ upstream: Int, _ form: UpstreamQuery.Form, showing lesson: UpstreamLesson? = nil,
        now: MonotonicTime
    ) {
        let address = query.upstreams[upstream].address
        guard query.attempts.count < PendingQuery.maximumQueries,
            let socket = sockets.socket(to: address, now: now, &random)
        else { return giveUp(query, upstream, form, now: now) }
        query.upstreams[upstream].asking()
        var id = UInt16(truncatingIfNeeded: random.next())
        while !socket.isFree(id) { id = UInt16(truncatingIfNeeded: random.next()) }
        let attempt = make(query, upstream, id: id, form, showing: lesson, isOverTCP: false, now: now)
        attempt.socket = socket
        query.attempts.append(attempt)
        counters.count(.upstreamUDPQueries)
        socket.add(attempt)
        outbox.add(attempt)
    }

    /// There is no socket or connection to be had: an attempt that has failed, and says nothing of the upstream.
    private func giveUp(_ query: PendingQuery, _ upstream: Int, _ form: UpstreamQuery.Form, now: MonotonicTime) {
        let attempt = make(query, upstream, id: 0, form, showing: nil, isOverTCP: false, now: now)
        attempt.state = .failed
        query.attempts.append(attempt)
        continueAfterFailure(query, .networkError, now: now)
    }

    func make(
        _ query: PendingQuery, _ upstream: Int, id: UInt16, _ form: UpstreamQuery.Form,
        showing lesson: UpstreamLesson?, isOverTCP: Bool, now: MonotonicTime
    ) -> UpstreamAttempt {
        let message = UpstreamQuery.make(id: id, key: query.key, form, &random)
        let expectation = UpstreamResponse.Expectation(
            id: id, query: message, key: query.key, checksCase: form.mixesCase, usesEDNS: form.usesEDNS)
        return UpstreamAttempt(
            query, upstream: upstream, form, showing: lesson, expectation: expectation, isOverTCP: isOverTCP,
            sentAt: now)
    }

    /// Asks the next upstream; when all have failed, so has the query.
    func continueAfterFailure(_ query: PendingQuery, _ reason: ExtendedError, now: MonotonicTime) {
        guard !query.isFinished else { return }
        if askNext(query, mayRepeat: false, now: now) {
            counters.count(.retries)
        } else if !query.expectsAnswer {
            fail(query, reason, now: now)
        }
    }

    /// An attempt waits for longer than it should.
    func overdue(_ attempt: UpstreamAttempt, now: MonotonicTime) {
        let query = attempt.query
        let upstream = query.upstreams[attempt.upstream]
        guard attempt.isOverTCP else {
            upstream.overdue(sentAt: attempt.sentAt)
            return probeIfNeeded(upstream, now: now)
        }
        if let connection = attempt.connection, connection.noteOverdue(since: attempt.sentAt) {
            upstream.learn { $0.connectionFailed(now: now) }
        }
        if attempt.lesson == .preservesCase, !query.isFinished { askInSmallLetters(attempt, now: now) }
    }

    /// Stops waiting for an attempt's answer.
    func drop(_ attempt: UpstreamAttempt, now: MonotonicTime) {
        if attempt.state == .waiting { attempt.state = .done }
        attempt.socket?.remove(attempt, now: now)
        attempt.socket = nil
        attempt.connection?.remove(attempt)
        attempt.connection = nil
    }

    // MARK: What comes back

    /// A message has come from an upstream.
    ///
    /// - Parameters:
    ///   - attempt: the one that waits for an answer with this ID there; `nil`: none does.
    ///   - arrival: when it has come, if that was earlier.
    func received(
        _ message: RawSpan, _ attempt: UpstreamAttempt?, _ form: UpstreamResponse.Form, arrival: MonotonicTime? = nil
    ) {
        let now = MonotonicTime.now
        loop.noteWork(now: now)
        guard let attempt else { return counters.count(.wrongAnswers) }
        let query = attempt.query
        let upstream = query.upstreams[attempt.upstream]
        let response = UpstreamResponse.read(message, attempt.expectation, form)
        let use: UpstreamHealth.Use
        switch response {
        case .unrelated: return counters.count(.wrongAnswers)
        case .otherCase:
            counters.count(.wrongAnswers)
            return askAgain(attempt, now: now)
        case .truncated, .withoutEDNS: use = .undecided
        case .failure: use = .useless
        case .answer: use = .useful
        }
        let features = upstream.answered(sentAt: attempt.sentAt, now: arrival ?? now, use)
        attempt.state = use == .useless ? .failed : .done
        if form == .stream, features.failedConnections > 0 { upstream.learn { $0.connectionAnswered() } }
        withExtendedLifetime(query) {
            drop(attempt, now: now)
            settle(attempt, response, message, features, now: now)
            query.attempts.removeAll { query.isFinished && $0 === attempt }
        }
    }

    private func settle(
        _ attempt: UpstreamAttempt, _ response: UpstreamResponse, _ message: RawSpan, _ features: UpstreamFeatures,
        now: MonotonicTime
    ) {
        let query = attempt.query
        switch response {
        case .unrelated, .otherCase: break
        case .truncated:
            // Not if a second answer says the same.
            guard !query.isFinished, !query.askedOverTCP.contains(attempt.upstream) else { return }
            // Nobody can forge what comes on a connection: the letters may stay small.
            let form = UpstreamQuery.Form(usesEDNS: attempt.form.usesEDNS, mixesCase: false)
            overTCP(query, attempt.upstream, form, showing: attempt.lesson, now: now)
        case .withoutEDNS:
            guard !query.isFinished else { return }
            // Another one may have the DNSSEC records that are wanted.
            if query.key.variant.contains(.dnssecOK), askNext(query, mayRepeat: false, now: now) {
                return counters.count(.retries)
            }
            let form = UpstreamQuery.Form(usesEDNS: false, mixesCase: attempt.form.mixesCase)
            if attempt.isOverTCP {
                overTCP(query, attempt.upstream, form, showing: .worksWithoutEDNS, now: now)
            } else {
                self.attempt(query, attempt.upstream, form, showing: .worksWithoutEDNS, now: now)
            }
        case .failure:
            continueAfterFailure(query, .noReachableAuthority, now: now)
        case .answer(let content):
            learn(from: attempt, message, content, features, now: now)
            finish(query, content, now: now)
        }
    }

    /// An answer has come with letters in another case than the query's: the upstream does not preserve it, or somebody
    /// has forged the answer. One that is known to preserve it is asked over TCP, where nobody can forge, and where it
    /// shows whether it still does; another one in small letters.
    private func askAgain(_ attempt: UpstreamAttempt, now: MonotonicTime) {
        let query = attempt.query
        guard !attempt.isAskedAgain, !query.isFinished else { return }
        attempt.isAskedAgain = true
        guard query.upstreams[attempt.upstream].features.casePreservation(at: now) == .yes else {
            return askInSmallLetters(attempt, now: now)
        }
        overTCP(query, attempt.upstream, attempt.form, showing: .preservesCase, now: now)
    }

    func askInSmallLetters(_ attempt: UpstreamAttempt, now: MonotonicTime) {
        let form = UpstreamQuery.Form(usesEDNS: attempt.form.usesEDNS, mixesCase: false)
        self.attempt(attempt.query, attempt.upstream, form, showing: .worksInSmallLetters, now: now)
    }

    private func learn(
        from attempt: UpstreamAttempt, _ message: RawSpan, _ content: AnswerContent, _ features: UpstreamFeatures,
        now: MonotonicTime
    ) {
        let key = attempt.query.key
        let upstream = attempt.query.upstreams[attempt.upstream]
        let expectation = attempt.expectation
        switch attempt.lesson {
        case .worksWithoutEDNS:
            // Many refuse ANY (RFC 8482), however it is asked for.
            guard key.type != .any, !key.variant.contains(.dnssecOK), content.isCacheable else { break }
            upstream.learn { $0.answeredWithoutEDNS(now: now) }
        case .worksInSmallLetters: upstream.learn { $0.changedCase(now: now) }
        case .preservesCase where !expectation.isRepeated(in: message): upstream.learn { $0.changedCase(now: now) }
        case .preservesCase where expectation.hasCapitals: upstream.learn { $0.doubtedCase(now: now) }
        case .preservesCase, nil: break
        }
        // A name without letters says nothing.
        guard !attempt.isOverTCP, expectation.checksCase,
            features.casePreservation(at: now) == .unknown || features.caseDoubts > 0, expectation.hasCapitals
        else { return }
        upstream.learn { $0.preservedCase() }
    }

    /// Nobody listens at the upstream that these attempts were sent to, or there is no way to it.
    func unreachable(_ attempts: [UpstreamAttempt]) {
        let now = MonotonicTime.now
        for attempt in attempts {
            let query = attempt.query
            let upstream = query.upstreams[attempt.upstream]
            attempt.state = .failed
            drop(attempt, now: now)
            upstream.unreachable()
            probeIfNeeded(upstream, now: now)
            continueAfterFailure(query, .networkError, now: now)
        }
    }
}
