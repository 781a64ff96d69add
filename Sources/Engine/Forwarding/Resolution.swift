/// The life of one forwarded question, from the first query to an upstream until nothing is waited for any longer:
/// which upstreams to ask and how, how long to wait, what is learned, and when it ends.
///
/// Pure, like ``TCPSession``: it is told what has happened and when, and says what to do. It has no clock, no sockets
/// and no random numbers, and never sees a message.
///
/// The first upstream gets as long as it usually takes; then another one is asked too, and so on. Clients get the first
/// answer. Further answers are waited for a little longer, to learn how their upstreams are doing.
struct Resolution {
    /// After this many attempts no further upstream is asked.
    static let maximumAttempts = 8
    /// The most attempts, including those that repeat a query in another way because of an upstream's answer.
    static let maximumQueries = 24
    /// How many times open aliases are followed.
    static let maximumHops = 8
    /// The time between attempts doubles, up to this.
    static let longestHedgeDelay = Nanoseconds.milliseconds(400)
    /// How long to wait for an answer that no client needs any longer, to learn how its upstream is doing.
    static let lingering = Nanoseconds.seconds(1)

    /// The stage that the question has reached.
    enum Phase {
        /// Clients wait for an answer.
        case asking
        /// Clients have got an answer, or there are none; upstreams are still waited for.
        case lingering
        /// Nothing is waited for.
        case over
    }

    private(set) var attempts: [Attempt] = []
    /// When clients get an expired answer or SERVFAIL instead.
    let deadline: MonotonicTime
    /// How long to wait before another attempt.
    private var hedgeDelay = Nanoseconds.zero
    private(set) var phase = Phase.asking
    /// Whether it takes longer than its upstream usually does.
    private(set) var isOverdue = false
    /// How many times aliases were followed: all attempts are for the name that they lead to.
    private(set) var hopCount: UInt8 = 0
    /// Whether DNSSEC records are wanted, which require EDNS.
    private let wantsDNSSEC: Bool
    /// Whether upstreams may refuse the question because of its type: many do so for ANY (RFC 8482).
    private let isOftenRefused: Bool

    /// - Parameter deadline: when clients get an expired answer or SERVFAIL, if there is no answer by then.
    init(type: RecordType, variant: AnswerVariant, deadline: MonotonicTime) {
        self.deadline = deadline
        wantsDNSSEC = variant.contains(.dnssecOK)
        isOftenRefused = type == .any
    }

    /// Handles an event.
    ///
    /// - Parameter actions: gets the actions to carry out, in this order.
    mutating func handle(_ event: Event, now: MonotonicTime, _ actions: inout [Action]) {
        switch event {
        case .begun: actions.append(.choose(.first))
        case .probing(let upstream, let features):
            phase = .lingering
            actions.append(.wait(until: deadline))
            ask(
                Choice(upstream: upstream, features: features, hedgeDelay: UpstreamHealth.suspectHedgeDelay), now: now,
                &actions)
        case .chosen(let choice, let purpose): chosen(choice, purpose, now: now, &actions)
        case .exploring(let choice):
            if phase == .asking { ask(choice, now: now, &actions) }
        case .unsent(let number):
            guard end(number, .failed) else { break }
            unanswered(number, now: now, &actions)
        case .otherCase(let number, let features): otherCase(number, features: features, now: now, &actions)
        case .postponed(let number):
            if isWaiting(number) { attempts[number].state = .postponed }
        case .answered(let number, let answer, let features):
            guard end(number, answer == .failure ? .failed : .done) else { break }
            answered(number, with: answer, features: features, now: now, &actions)
        case .refused(let number): refused(number, now: now, &actions)
        case .ended(let number, let end): ended(number, end, now: now, &actions)
        case .crowded:
            guard phase == .asking else { break }
            actions.append(.giveWay)
            close(&actions)
        case .due: due(now: now, &actions)
        }
        if phase == .lingering, !attempts.contains(where: \.isWaiting) { close(&actions) }
    }

    // MARK: Whom to ask

    /// The upstreams that were asked.
    var asked: [Int] { attempts.map(\.upstream) }

    /// Upstreams that must not be asked again: they have failed, or are being asked over TCP, and would only repeat
    /// that the answer is too long.
    var excluded: [Int] {
        attempts.filter { $0.state == .failed || $0.isAskingOverTCP($0.upstream) }.map(\.upstream)
    }

    private mutating func chosen(
        _ choice: Choice?, _ purpose: Purpose, now: MonotonicTime, _ actions: inout [Action]
    ) {
        guard phase == .asking else { return }
        let choice = choice.flatMap { purpose == .hedge || mayBeAsked($0.upstream) ? $0 : nil }
        switch (purpose, choice) {
        case (.first, let choice?):
            hedgeDelay = choice.hedgeDelay
            actions.append(.wait(until: min(now + hedgeDelay, deadline)))
        case (.first, nil): return fail(.noReachableAuthority, now: now, &actions)
        case (.retry, .some), (.retryWithEDNS, .some): actions.append(.count(.retries))
        case (.retry(let reason), nil): return failIfHopeless(reason, now: now, &actions)
        case (.retryWithEDNS(let number), nil): return add(attempts[number].withoutEDNS(at: now), now: now, &actions)
        case (.hedge, .some): actions.append(.count(.hedges))
        case (.hedge, nil): return
        }
        if let choice { ask(choice, now: now, &actions) }
    }

    /// Whether an upstream may be asked for a reason other than a hedge: once, and a second time if a message said that
    /// nobody is there.
    private func mayBeAsked(_ upstream: Int) -> Bool {
        var count = 0
        for attempt in attempts where attempt.upstream == upstream {
            count += 1
            guard count == 1, attempt.state == .refused else { return false }
        }
        return true
    }

    /// Asks the next upstream after a failed attempt; if all have failed, so has the question.
    private mutating func askNext(_ reason: ExtendedError, now: MonotonicTime, _ actions: inout [Action]) {
        guard phase == .asking else { return }
        if attempts.count < Self.maximumAttempts {
            actions.append(.choose(.retry(after: reason)))
        } else {
            failIfHopeless(reason, now: now, &actions)
        }
    }

    /// Fails if no answer is expected any more. A doubted attempt does not count, since another one replaces it; a
    /// refused one counts until the next time that is set.
    private mutating func failIfHopeless(_ reason: ExtendedError, now: MonotonicTime, _ actions: inout [Action]) {
        guard !attempts.contains(where: { $0.isHopeful || $0.state == .refused }) else { return }
        fail(reason, now: now, &actions)
    }

    // MARK: In which way

    /// Asks an upstream in the way that it is known to understand.
    private mutating func ask(_ choice: Choice, now: MonotonicTime, _ actions: inout [Action]) {
        let features = choice.features
        let form = UpstreamQuery.Form(
            usesEDNS: features.usesEDNS(at: now) || wantsDNSSEC, mixesCase: features.mixesCase(at: now))
        add(
            Attempt(upstream: choice.upstream, form, hedgeDelay: choice.hedgeDelay, at: now), now: now, &actions)
    }

    private mutating func add(_ attempt: Attempt, now: MonotonicTime, _ actions: inout [Action]) {
        guard attempts.count < Self.maximumQueries else { return askNext(.networkError, now: now, &actions) }
        let number = attempts.count
        attempts.append(attempt)
        switch attempt.transport {
        case .datagram: actions.append(.send(number))
        case .connection:
            actions.append(.connect(number, waitingUntil: min(now + UpstreamHealth.maximumHedgeDelay, deadline)))
        }
    }

    // MARK: What comes back

    private func isWaiting(_ number: Int) -> Bool { attempts.indices.contains(number) && attempts[number].isWaiting }

    /// - Returns: whether the attempt was waiting until now.
    private mutating func end(_ number: Int, _ state: Attempt.State) -> Bool {
        guard isWaiting(number) else { return false }
        attempts[number].state = state
        return true
    }

    /// Handles an answer whose letters have another case than the query's: the upstream does not preserve case, or
    /// somebody has forged the answer. An upstream that is known to preserve case is asked over TCP, where nobody can
    /// forge answers and where it shows whether it still does. Any other one is asked in lower case.
    private mutating func otherCase(
        _ number: Int, features: UpstreamFeatures, now: MonotonicTime, _ actions: inout [Action]
    ) {
        guard phase == .asking, isWaiting(number), attempts[number].state != .doubted else { return }
        attempts[number].state = .doubted
        guard features.casePreservation(at: now) == .yes else {
            return add(attempts[number].inSmallLetters(at: now), now: now, &actions)
        }
        add(attempts[number].overTCP(at: now, showing: .preservesCase), now: now, &actions)
    }

    /// Handles a message that nobody is at an attempt's upstream. It may be forged, and the upstream the only one that
    /// answers: others are asked, or the same one again from another port.
    private mutating func refused(_ number: Int, now: MonotonicTime, _ actions: inout [Action]) {
        guard phase == .asking, attempts.indices.contains(number), attempts[number].state == .waiting else { return }
        attempts[number].state = .refused
        askNext(.networkError, now: now, &actions)
    }

    private mutating func answered(
        _ number: Int, with answer: Answer, features: UpstreamFeatures, now: MonotonicTime, _ actions: inout [Action]
    ) {
        let attempt = attempts[number]
        switch answer {
        case .truncated: askOverTCP(instead: attempt, now: now, &actions)
        case .withoutEDNS:
            guard phase == .asking else { return }
            // Another upstream may have the DNSSEC records that are wanted.
            guard wantsDNSSEC, attempts.count < Self.maximumAttempts else {
                return add(attempts[number].withoutEDNS(at: now), now: now, &actions)
            }
            actions.append(.choose(.retryWithEDNS(number)))
        case .failure: askNext(.noReachableAuthority, now: now, &actions)
        case .content(let isCacheable, let letters, let leadsOn):
            let finding = attempt.finding(isCacheable && !wantsDNSSEC && !isOftenRefused, letters)
            if let finding { actions.append(.learn(attempt.upstream, finding)) }
            if features.wantsCaseSeen(at: now), attempt.showsCase(letters) {
                actions.append(.learn(attempt.upstream, .preservesCase))
            }
            guard phase == .asking else { return }
            if leadsOn { return follow(now: now, &actions) }
            actions.append(.reply)
            linger(now: now, &actions)
        }
    }

    /// Asks for the name that an answer's aliases lead to, like a new question but within the time that is left.
    private mutating func follow(now: MonotonicTime, _ actions: inout [Action]) {
        guard hopCount < Self.maximumHops else { return fail(.other, now: now, &actions) }
        hopCount += 1
        isOverdue = false
        attempts.removeAll(keepingCapacity: true)
        actions += [.follow, .choose(.first)]
    }

    private mutating func askOverTCP(instead attempt: Attempt, now: MonotonicTime, _ actions: inout [Action]) {
        // Only one query over TCP, whatever else is asked over UDP.
        guard phase == .asking, !attempts.contains(where: { $0.isAskingOverTCP(attempt.upstream) }) else { return }
        // Nobody can forge answers on a connection, so the letters may stay in lower case.
        add(attempt.overTCP(at: now, mixesCase: false, showing: attempt.lesson), now: now, &actions)
    }

    private mutating func ended(
        _ number: Int, _ reason: ExchangeEnd, now: MonotonicTime, _ actions: inout [Action]
    ) {
        guard isWaiting(number) else { return }
        let attempt = attempts[number]
        // The connection may have been closed for being idle just when it was used, and some upstreams close it after
        // each answer. Such queries are sent again (RFC 7766 §6.2.4), as often as that happens, since each time
        // somebody was answered.
        if reason == .connectionEnded(hasAnswered: true), phase == .asking, now < deadline {
            return actions.append(.reconnect(number))
        }
        attempts[number].state = .failed
        switch reason {
        case .unreachable:
            actions.append(.learn(attempt.upstream, .unreachable))
            askNext(.networkError, now: now, &actions)
        case .guessed:
            attempts[number].state = .done
            askOverTCP(instead: attempt, now: now, &actions)
        case .connectionEnded(let hasAnswered):
            if !hasAnswered { actions.append(.learn(attempt.upstream, .failed)) }
            unanswered(number, now: now, &actions)
        // Other upstreams would send the same answer.
        case .tooLong: if phase == .asking { fail(.other, now: now, &actions) }
        case .unwanted: attempts[number].state = .done
        }
    }

    /// Continues after an attempt that has failed, which need not be the upstream's fault.
    private mutating func unanswered(_ number: Int, now: MonotonicTime, _ actions: inout [Action]) {
        guard phase == .asking else { return }
        // It was asked over TCP only because of the letters' case, for which there is another way.
        if attempts[number].lesson == .preservesCase {
            add(attempts[number].inSmallLetters(at: now), now: now, &actions)
        } else {
            askNext(.networkError, now: now, &actions)
        }
    }

    // MARK: Time

    /// Handles that the time set has come.
    private mutating func due(now: MonotonicTime, _ actions: inout [Action]) {
        guard phase != .over else { return }
        let isInTime = phase == .asking && now < deadline
        for number in attempts.indices where attempts[number].becomesLate(at: now) {
            actions.append(.overdue(number))
            if isInTime, attempts[number].lesson == .preservesCase {
                add(attempts[number].inSmallLetters(at: now), now: now, &actions)
            }
        }
        guard isInTime else { return expire(&actions) }
        if isRefusedByAll { return failRefused(now: now, &actions) }
        isOverdue = true
        hedgeDelay = min(hedgeDelay * 2, Self.longestHedgeDelay)
        actions.append(.wait(until: min(now + hedgeDelay, deadline)))
        if attempts.count < Self.maximumAttempts { actions.append(.choose(.hedge)) }
    }

    /// Whether more than one message said that nobody is there, and nothing else is waited for.
    private var isRefusedByAll: Bool {
        attempts.count { $0.state == .refused } > 1 && !attempts.contains(where: \.isHopeful)
    }

    /// Fails after refusals. Nobody has answered for as long as it usually takes, so the messages are believed.
    private mutating func failRefused(now: MonotonicTime, _ actions: inout [Action]) {
        for number in attempts.indices where attempts[number].state == .refused { attempts[number].state = .failed }
        fail(.networkError, now: now, &actions)
    }

    // MARK: The end

    private mutating func fail(_ reason: ExtendedError, now: MonotonicTime, _ actions: inout [Action]) {
        actions.append(.fail(reason))
        linger(now: now, &actions)
    }

    /// Waits a little longer, now that clients have their reply.
    private mutating func linger(now: MonotonicTime, _ actions: inout [Action]) {
        phase = .lingering
        guard attempts.contains(where: \.isWaiting) else { return }
        actions.append(.wait(until: min(deadline, now + Self.lingering)))
    }

    private mutating func expire(_ actions: inout [Action]) {
        if phase == .asking { actions += [.count(.timeouts), .fail(.noReachableAuthority)] }
        close(&actions)
    }

    private mutating func close(_ actions: inout [Action]) {
        phase = .over
        for number in attempts.indices where attempts[number].isWaiting { attempts[number].state = .done }
        actions.append(.close)
    }
}
