/// Single queries to single upstreams, and what comes back.
extension Forwarder {
    /// Asks an upstream.
    func attempt(_ query: PendingQuery, _ upstream: Int, mixesCase: Bool = true, now: MonotonicTime) {
        let features = query.upstreams.asking(upstream)
        let checksCase = mixesCase && features.casePreservation != .no
        guard let socket = sockets.socket(to: query.upstreams.addresses[upstream], now: now, &random) else {
            return giveUp(query, upstream, features, now: now)
        }
        var id = UInt16(truncatingIfNeeded: random.next())
        while !socket.isFree(id) { id = UInt16(truncatingIfNeeded: random.next()) }
        let attempt = make(query, upstream, id: id, checksCase: checksCase, features, now: now)
        attempt.socket = socket
        query.attempts.append(attempt)
        counters.upstreamUDPQueries.count()
        socket.add(attempt)
        outbox.add(attempt)
    }

    /// There is no socket or connection to be had: an attempt that has failed, and says nothing of the upstream.
    private func giveUp(_ query: PendingQuery, _ upstream: Int, _ features: UpstreamFeatures, now: MonotonicTime) {
        let attempt = make(query, upstream, id: 0, checksCase: false, features, now: now)
        attempt.state = .failed
        query.attempts.append(attempt)
        continueAfterFailure(query, .networkError, now: now)
    }

    private func make(
        _ query: PendingQuery, _ upstream: Int, id: UInt16, checksCase: Bool, _ features: UpstreamFeatures,
        now: MonotonicTime
    ) -> UpstreamAttempt {
        let message = UpstreamQuery.make(
            id: id, key: query.key, usesEDNS: features.usesEDNS, mixesCase: checksCase, &random)
        let expectation = UpstreamResponse.Expectation(
            id: id, query: message, key: query.key, checksCase: checksCase, usesEDNS: features.usesEDNS)
        return UpstreamAttempt(query, upstream: upstream, expectation: expectation, sentAt: now)
    }

    private func cannotReach(_ query: PendingQuery, _ upstream: Int, now: MonotonicTime) {
        if query.upstreams.unreachable(upstream) { beginProbing(query.upstreams, upstream, now: now) }
        continueAfterFailure(query, .networkError, now: now)
    }

    /// Asks the next upstream; when all have failed, so has the query.
    private func continueAfterFailure(_ query: PendingQuery, _ reason: ExtendedError, now: MonotonicTime) {
        guard !query.isFinished else { return }
        if askNext(query, mayRepeat: false, now: now) {
            counters.retries.count()
        } else if !query.isWaiting {
            fail(query, reason, now: now)
        }
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
    /// - Parameter attempt: the one that waits for an answer with this ID there; `nil`: none does.
    func received(_ message: RawSpan, _ attempt: UpstreamAttempt?, _ form: UpstreamResponse.Form) {
        let now = MonotonicTime.now
        loop.noteWork(now: now)
        guard let attempt else { return counters.wrongAnswers.count() }
        let query = attempt.query
        let upstreams = query.upstreams
        let response = UpstreamResponse.read(message, attempt.expectation, form)
        switch response {
        case .unrelated:
            return counters.wrongAnswers.count()
        case .otherCase:
            counters.wrongAnswers.count()
            // From one that is known to preserve it, it is forged.
            guard upstreams.features(of: attempt.upstream).casePreservation == .unknown, !attempt.isAskedAgain,
                !query.isFinished
            else { return }
            attempt.isAskedAgain = true
            return self.attempt(query, attempt.upstream, mixesCase: false, now: now)
        default:
            break
        }
        var isUseful = true
        if case .failure = response { isUseful = false }
        let features = upstreams.answered(
            attempt.upstream, sentAt: attempt.sentAt, now: now, isUseful: isUseful)
        attempt.state = isUseful ? .done : .failed
        if form == .stream, features.failedConnections > 0 {
            upstreams.learn(attempt.upstream) { $0.connectionAnswered() }
        }
        withExtendedLifetime(query) {
            drop(attempt, now: now)
            settle(query, attempt, response, features, now: now)
            query.attempts.removeAll { query.isFinished && $0 === attempt }
        }
    }

    private func settle(
        _ query: PendingQuery, _ attempt: UpstreamAttempt, _ response: UpstreamResponse,
        _ features: UpstreamFeatures, now: MonotonicTime
    ) {
        let upstreams = query.upstreams
        switch response {
        case .unrelated, .otherCase: break
        case .truncated:
            guard !query.isFinished else { return }
            overTCP(query, attempt.upstream, isSecond: false, now: now)
        case .withoutEDNS:
            upstreams.learn(attempt.upstream) { $0.usesEDNS = false }
            guard !query.isFinished else { return }
            self.attempt(query, attempt.upstream, now: now)
        case .failure:
            continueAfterFailure(query, .noReachableAuthority, now: now)
        case .answer(let content):
            if features.casePreservation == .unknown { learnCase(query, attempt) }
            finish(query, content, now: now)
        }
    }

    private func learnCase(_ query: PendingQuery, _ attempt: UpstreamAttempt) {
        if attempt.expectation.checksCase {
            // A name without letters says nothing.
            guard attempt.expectation.hasCapitals else { return }
            query.upstreams.learn(attempt.upstream) { $0.casePreservation = .yes }
        } else if query.attempts.contains(where: { $0.isAskedAgain && $0.upstream == attempt.upstream }) {
            query.upstreams.learn(attempt.upstream) { $0.casePreservation = .no }
        }
    }

    /// Nobody listens at the upstream that these attempts were sent to, or there is no way to it.
    func unreachable(_ attempts: [UpstreamAttempt]) {
        let now = MonotonicTime.now
        for attempt in attempts {
            let query = attempt.query
            attempt.state = .failed
            drop(attempt, now: now)
            cannotReach(query, attempt.upstream, now: now)
        }
    }

    // MARK: TCP

    /// Asks an upstream over TCP.
    private func overTCP(_ query: PendingQuery, _ upstream: Int, isSecond: Bool, now: MonotonicTime) {
        let address = query.upstreams.addresses[upstream]
        let id = UInt16(truncatingIfNeeded: random.next())
        let features = query.upstreams.features(of: upstream)
        guard let connection = connection(to: address, id: id, mayOpen: features.takesConnections(at: now)) else {
            return giveUp(query, upstream, features, now: now)
        }
        query.upstreams.asking(upstream)
        // Nobody can forge what comes on a connection: the letters stay small.
        let attempt = make(query, upstream, id: id, checksCase: false, features, now: now)
        attempt.isSecondConnection = isSecond
        attempt.connection = connection
        query.attempts.append(attempt)
        counters.upstreamTCPQueries.count()
        connection.send(attempt)
        // A connection takes a round trip more.
        wait(for: query, until: min(now + UpstreamHealth.maximumPatience, query.deadline))
    }

    private func connection(to address: SocketAddress, id: UInt16, mayOpen: Bool) -> UpstreamConnection? {
        if let open = connections.first(where: { $0.address == address && $0.takes(id) }) { return open }
        guard mayOpen, connections.count < UpstreamConnection.maximumCount,
            let opened = UpstreamConnection(to: address, forwarder: self, loop: loop)
        else { return nil }
        connections.append(opened)
        return opened
    }

    /// A connection has ended, or is not wanted any longer.
    func closed(_ connection: UpstreamConnection) {
        connections.removeAll { $0 === connection }
        let attempts = connection.attempts
        connection.close()
        let now = MonotonicTime.now
        if !connection.hasAnswered, let attempt = attempts.first {
            attempt.query.upstreams.learn(attempt.upstream) { $0.connectionFailed(now: now) }
        }
        for attempt in attempts {
            let query = attempt.query
            attempt.connection = nil
            // One that was open before may have been closed for being idle just when it was used (RFC 7766 §6.2.4).
            let isWorthAnother = connection.hasAnswered && !attempt.isSecondConnection && !query.isFinished
            attempt.state = isWorthAnother ? .done : .failed
            if isWorthAnother {
                overTCP(query, attempt.upstream, isSecond: true, now: now)
            } else {
                query.upstreams.answered(attempt.upstream, sentAt: attempt.sentAt, now: now, isUseful: false)
                continueAfterFailure(query, .networkError, now: now)
            }
        }
    }
}
