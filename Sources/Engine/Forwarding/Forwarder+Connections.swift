/// Queries to upstreams over TCP.
extension Forwarder {
    /// Asks an upstream over TCP.
    func overTCP(
        _ query: PendingQuery, _ upstream: Int, _ form: UpstreamQuery.Form, showing lesson: UpstreamLesson? = nil,
        isSecond: Bool = false, now: MonotonicTime
    ) {
        let target = query.upstreams[upstream]
        let id = UInt16(truncatingIfNeeded: random.next())
        let mayOpen = target.features.takesConnections(at: now)
        let attempt = make(query, upstream, id: id, form, showing: lesson, isOverTCP: true, now: now)
        guard query.attempts.count < PendingQuery.maximumQueries,
            let connection = connection(to: target.address, id: id, mayOpen: mayOpen)
        else {
            attempt.state = .failed
            query.attempts.append(attempt)
            return failedOverTCP(attempt, now: now)
        }
        target.asking()
        attempt.isSecondConnection = isSecond
        attempt.connection = connection
        query.attempts.append(attempt)
        counters.count(.upstreamTCPQueries)
        connection.send(attempt)
        // A connection takes a round trip more.
        wait(for: query, until: min(now + UpstreamHealth.maximumPatience, query.deadline))
    }

    /// No answer comes over TCP.
    private func failedOverTCP(_ attempt: UpstreamAttempt, now: MonotonicTime) {
        guard !attempt.query.isFinished else { return }
        // It was asked so only because of the letters: there is another way.
        if attempt.lesson == .preservesCase {
            askInSmallLetters(attempt, now: now)
        } else {
            continueAfterFailure(attempt.query, .networkError, now: now)
        }
    }

    /// The connection with the least to do, and none that carries long answers: others would have to wait behind them.
    private func connection(to address: SocketAddress, id: UInt16, mayOpen: Bool) -> UpstreamConnection? {
        let open = connections.filter { $0.address == address }
        let fit = open.filter { $0.takes(id) }
        if let short = fit.first(where: { !$0.carriesLongAnswers }) { return short }
        guard mayOpen, open.count < UpstreamConnection.maximumPerUpstream,
            connections.count < UpstreamConnection.maximumCount,
            let opened = UpstreamConnection(to: address, forwarder: self, loop: loop)
        else { return fit.min { $0.attempts.count < $1.attempts.count } }
        connections.append(opened)
        return opened
    }

    /// An answer is so long that there is no time to read it before its query's deadline. Others would answer the same.
    func refuse(_ attempt: UpstreamAttempt, now: MonotonicTime) {
        let query = attempt.query
        attempt.state = .failed
        withExtendedLifetime(query) {
            drop(attempt, now: now)
            fail(query, .other, now: now)
        }
    }

    /// A connection has ended, or is not wanted any longer.
    func closed(_ connection: UpstreamConnection) {
        connections.removeAll { $0 === connection }
        let attempts = connection.attempts
        connection.close()
        let now = MonotonicTime.now
        if !connection.hasAnswered, !connection.isStale, let attempt = attempts.first {
            attempt.query.upstreams[attempt.upstream].learn { $0.connectionFailed(now: now) }
        }
        for attempt in attempts {
            let query = attempt.query
            attempt.connection = nil
            // One that was open before may have been closed for being idle just when it was used (RFC 7766 §6.2.4).
            let isWorthAnother = connection.hasAnswered && !attempt.isSecondConnection && !query.isFinished
            attempt.state = isWorthAnother ? .done : .failed
            if isWorthAnother {
                overTCP(query, attempt.upstream, attempt.form, showing: attempt.lesson, isSecond: true, now: now)
            } else {
                query.upstreams[attempt.upstream].failed(now: now)
                failedOverTCP(attempt, now: now)
            }
        }
    }
}
