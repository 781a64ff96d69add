import Testing

@testable import Engine

/// Courses of questions in which every event is drawn at random. Whatever upstreams, sockets and time do, each ends.
struct ResolutionHistoryTests {
    @Test(arguments: [RecordType.a, .any], [AnswerVariant(), .dnssecOK])
    func `whatever happens, clients get one reply, in time, and nothing is waited for without end`(
        type: RecordType, variant: AnswerVariant
    ) {
        // Each argument has other histories.
        let first = UInt64(type.rawValue) << 32 | UInt64(variant.rawValue) << 16
        for seed in first..<first + 600 {
            var history = ResolutionHistory(seed, type, variant)
            let fault = history.run()
            #expect(fault == nil, "seed \(seed)")
        }
    }

    @Test func `a probe gives clients nothing, and ends`() {
        for seed in UInt64(0)..<100 {
            var history = ResolutionHistory(seed, .ns, [])
            let fault = history.run(isProbe: true)
            #expect(fault == nil, "seed \(seed)")
        }
    }
}

/// A question to upstreams that may do anything, and a forwarder that does what it is told.
private struct ResolutionHistory {
    private var random: SeededRandom
    private var resolution: Resolution
    private let upstreamCount: Int
    private let features: [UpstreamFeatures]
    private var now: MonotonicTime
    /// The attempts under way, and whether each is over TCP.
    private var underWay: [Int: Bool] = [:]
    private var ended: [Int] = []
    private var waitingUntil: MonotonicTime?
    private var sentCount = 0
    private var answerCount = 0
    private var isClosed = false
    /// The first violation that was found.
    private var fault: String?

    init(_ seed: UInt64, _ type: RecordType, _ variant: AnswerVariant) {
        var random = SeededRandom(seed)
        let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
        now = start
        resolution = Resolution(type: type, variant: variant, deadline: start + .milliseconds(1500))
        upstreamCount = Int(random.next() % 4) + 1
        features = (0..<4).map { _ in
            var features = UpstreamFeatures()
            if random.next() % 2 == 0 { features.preservedCase() }
            if random.next() % 4 == 0 { features.doubtedCase(now: start) }
            if random.next() % 4 == 0 { features.changedCase(now: start) }
            if random.next() % 4 == 0 { features.answeredWithoutEDNS(now: start) }
            return features
        }
        self.random = random
    }

    /// - Returns: the first violation that was found.
    mutating func run(isProbe: Bool = false) -> String? {
        handle(isProbe ? .probing(0, features[0]) : .begun)
        for _ in 0..<1000 where !isClosed && fault == nil { handle(event()) }
        check(isClosed, "it goes on without end")
        check(underWay.isEmpty && resolution.phase == .over, "something is still waited for")
        check(answerCount == (isProbe ? 0 : 1), "clients got \(answerCount) answers")
        check(now <= resolution.deadline, "it took too long")
        // Whatever comes now concerns nobody.
        for number in ended { handle(.answered(number, .content(isCacheable: true, .repeated), features[0])) }
        handle(.due)
        return fault
    }

    private mutating func check(_ isRight: Bool, _ complaint: String) {
        if !isRight, fault == nil { fault = complaint }
    }

    private mutating func draw(_ count: UInt64) -> UInt64 { random.next() % count }

    // MARK: Events

    private mutating func event() -> Resolution.Event {
        guard let time = waitingUntil else {
            check(false, "nobody looks after it")
            return .due
        }
        // The order of a dictionary differs between runs.
        let numbers = underWay.keys.sorted()
        guard !numbers.isEmpty, draw(3) > 0 else {
            now = max(now, time)
            return .due
        }
        now = now + Nanoseconds(count: (time - now).count * Int64(draw(8)) / 8)
        if draw(64) == 0 { return .crowded }
        // Now and then the event concerns an attempt that is over.
        if !ended.isEmpty, draw(8) == 0 {
            return .ended(ended[Int(draw(UInt64(ended.count)))], .connectionEnded(hasAnswered: true))
        }
        let number = numbers[Int(draw(UInt64(numbers.count)))]
        return underWay[number] == true ? eventOverTCP(number) : eventOverUDP(number)
    }

    private mutating func eventOverUDP(_ number: Int) -> Resolution.Event {
        switch draw(7) {
        case 0 where resolution.attempts[number].form.mixesCase: .otherCase(number, featuresOf(number))
        case 1: end(number, .unreachable)
        case 2: answer(number, .truncated)
        case 3: .refused(number)
        case 4: end(number, .guessed)
        default: answer(number)
        }
    }

    private mutating func eventOverTCP(_ number: Int) -> Resolution.Event {
        let isWanted = resolution.phase == .asking
        return switch draw(8) {
        case 0: .postponed(number)
        case 1: end(number, isWanted ? .tooLong : .unwanted)
        case 2, 3: end(number, .connectionEnded(hasAnswered: true))
        case 4: end(number, .connectionEnded(hasAnswered: false))
        default: answer(number)
        }
    }

    private mutating func answer(_ number: Int, _ answer: Resolution.Answer? = nil) -> Resolution.Event {
        let letters = [Resolution.Answer.Letters.small, .repeated, .changed][Int(draw(3))]
        let isCacheable = draw(2) == 0
        let others: [Resolution.Answer] = [
            .failure, .failure, .withoutEDNS, .content(isCacheable: isCacheable, letters),
            .content(isCacheable: isCacheable, letters, leadsOn: true),
        ]
        let drawn = others[Int(draw(5))]
        leave(number)
        return .answered(number, answer ?? drawn, featuresOf(number))
    }

    private mutating func end(_ number: Int, _ end: ExchangeEnd) -> Resolution.Event {
        leave(number)
        return .ended(number, end)
    }

    private mutating func leave(_ number: Int) {
        underWay[number] = nil
        ended.append(number)
    }

    private func featuresOf(_ number: Int) -> UpstreamFeatures { features[resolution.attempts[number].upstream] }

    // MARK: Actions

    private mutating func handle(_ event: Resolution.Event) {
        var actions: [Resolution.Action] = []
        let wasClosed = isClosed
        resolution.handle(event, now: now, &actions)
        check(!wasClosed || actions.isEmpty, "something is done after the end")
        if case .answered(_, .content, _) = event {
        } else {
            check(!actions.contains(.reply) && !actions.contains(.follow), "a reply of nothing")
        }
        var next = 0
        while next < actions.count {
            carryOut(actions[next], &actions)
            next += 1
            check(next < 200, "it does not come to rest")
            if fault != nil { return }
        }
        check(resolution.attempts.count <= Resolution.maximumQueries, "too many attempts")
        check(isClosed == (resolution.phase == .over), "closed, and not over")
        guard !isClosed else { return }
        check((waitingUntil ?? now) <= resolution.deadline, "waits beyond the deadline")
        let isHopeful = underWay.keys.contains { resolution.attempts[$0].state != .doubted }
        check(isHopeful || resolution.phase != .asking, "clients wait for nothing")
    }

    private mutating func carryOut(_ action: Resolution.Action, _ actions: inout [Resolution.Action]) {
        switch action {
        case .choose(let purpose):
            // Two attempts could not be sent, and the first of these may have ended the question already.
            guard resolution.phase == .asking else { break }
            let overTCP = underWay.filter(\.value).map { resolution.attempts[$0.key].upstream }
            check(Set(overTCP).isSubset(of: resolution.excluded), "asked again while asked over TCP")
            choose(purpose, &actions)
        case .send(let number): send(number, isOverTCP: false, &actions)
        case .connect(let number, let time):
            if send(number, isOverTCP: true, &actions) { wait(until: time) }
        case .reconnect(let number): send(number, isOverTCP: true, isFirst: false, &actions)
        case .wait(let time): wait(until: time)
        case .overdue(let number): check(underWay[number] != nil, "late, and not waited for")
        case .learn(let upstream, _): check(upstream < upstreamCount, "learned of nobody")
        case .count: break
        case .reply, .fail, .giveWay: answerCount += 1
        case .follow:
            check(answerCount == 0 && resolution.attempts.isEmpty, "followed for nobody")
            // Nothing else is waited for, and nothing more is reported about it.
            underWay = [:]
            ended = []
            sentCount = 0
        case .close:
            check(!isClosed, "closed twice")
            isClosed = true
            for number in underWay.keys.sorted() { leave(number) }
            waitingUntil = nil
        }
    }

    private mutating func wait(until time: MonotonicTime) {
        check(time > now || time == resolution.deadline, "waits for a time that has passed")
        waitingUntil = time
    }

    private mutating func choose(_ purpose: Resolution.Purpose, _ actions: inout [Resolution.Action]) {
        let free = (0..<upstreamCount).filter { !resolution.excluded.contains($0) }
        let best = free.filter { !resolution.asked.contains($0) }
        let candidates = best.isEmpty ? free : best
        var choice: Resolution.Choice?
        if !candidates.isEmpty {
            let upstream = candidates[Int(draw(UInt64(candidates.count)))]
            choice = Resolution.Choice(
                upstream: upstream, features: features[upstream], hedgeDelay: .milliseconds(25 + Int64(draw(275))))
        }
        resolution.handle(.chosen(choice, purpose), now: now, &actions)
        guard purpose == .first, let other = candidates.first(where: { $0 != choice?.upstream }), draw(4) == 0 else {
            return
        }
        resolution.handle(
            .exploring(Resolution.Choice(upstream: other, features: features[other], hedgeDelay: .milliseconds(100))),
            now: now, &actions)
    }

    @discardableResult
    private mutating func send(
        _ number: Int, isOverTCP: Bool, isFirst: Bool = true, _ actions: inout [Resolution.Action]
    ) -> Bool {
        check(isClosed == false && (answerCount == 0 && resolution.phase == .asking || number == 0), "sent for nobody")
        check(resolution.attempts[number].isWaiting, "sent, and not waited for")
        guard draw(6) > 0 else {
            resolution.handle(.unsent(number), now: now, &actions)
            return false
        }
        if isFirst { sentCount += 1 }
        check(sentCount <= Resolution.maximumQueries, "too many queries")
        underWay[number] = isOverTCP
        return true
    }
}
