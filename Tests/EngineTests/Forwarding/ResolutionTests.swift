import Testing

@testable import Engine

/// The course of one question: events, and the actions that follow. Pure, without a clock or a socket.
struct ResolutionTests {
    typealias Event = Resolution.Event
    typealias Action = Resolution.Action
    /// An event after so many milliseconds, and the actions that must follow.
    typealias Step = (milliseconds: Int64, event: Event, actions: [Action])

    private static let unknown = UpstreamFeatures()
    private static let preserving = features { $0.preservedCase() }
    private static let content = Resolution.Answer.content(isCacheable: true, .repeated)

    private static func features(_ learn: (inout UpstreamFeatures) -> Void) -> UpstreamFeatures {
        var features = UpstreamFeatures()
        learn(&features)
        return features
    }

    private static func time(_ milliseconds: Int64) -> MonotonicTime {
        MonotonicTime(nanoseconds: 1_000_000_000_000) + .milliseconds(milliseconds)
    }

    private func time(_ milliseconds: Int64) -> MonotonicTime { Self.time(milliseconds) }

    private static func choice(
        _ upstream: Int, _ features: UpstreamFeatures = unknown, hedgeDelay: Int64 = 150
    ) -> Resolution.Choice {
        Resolution.Choice(upstream: upstream, features: features, hedgeDelay: .milliseconds(hedgeDelay))
    }

    private func chosen(
        _ upstream: Int, for purpose: Resolution.Purpose, _ features: UpstreamFeatures = unknown,
        hedgeDelay: Int64 = 150
    ) -> Event {
        .chosen(Self.choice(upstream, features, hedgeDelay: hedgeDelay), purpose)
    }

    private func exploring(_ upstream: Int, _ features: UpstreamFeatures = unknown) -> Event {
        .exploring(Self.choice(upstream, features))
    }

    /// The first upstream is asked, and has 150 ms to answer.
    private func start(_ features: UpstreamFeatures = unknown) -> [Step] {
        [
            (0, .begun, [.choose(.first)]),
            (0, chosen(0, for: .first, features), [.wait(until: time(150)), .send(0)]),
        ]
    }

    private let retry = Resolution.Purpose.retry(after: .noReachableAuthority)
    private let retryElsewhere = Resolution.Purpose.retry(after: .networkError)

    /// Plays the steps.
    ///
    /// - Returns: the state of the question after them.
    @discardableResult
    private func play(
        _ steps: [Step], type: RecordType = .a, _ variant: AnswerVariant = [],
        at location: SourceLocation = #_sourceLocation
    ) -> Resolution {
        var resolution = Resolution(type: type, variant: variant, deadline: time(1500))
        for (number, step) in steps.enumerated() {
            var actions: [Action] = []
            resolution.handle(step.event, now: time(step.milliseconds), &actions)
            #expect(actions == step.actions, "step \(number)", sourceLocation: location)
        }
        return resolution
    }

    @Test func `a question that takes longer than usual is overdue, and gives way to a newer one`() {
        #expect(!play(start()).isOverdue)
        let late: [Step] = [(150, .due, [.overdue(0), .wait(until: time(450)), .choose(.hedge)])]
        #expect(play(start() + late).isOverdue)
        let end = play(start() + late + [(200, .crowded, [.giveWay, .close])])
        #expect(end.phase == .over && end.attempts.allSatisfy { !$0.isWaiting })
        // It is nobody's any more.
        play(start() + [(10, .crowded, [.giveWay, .close]), (20, .crowded, []), (30, .due, [])])
    }

    private func form(_ resolution: Resolution, _ number: Int) -> UpstreamQuery.Form {
        resolution.attempts[number].form
    }

    // MARK: Answers

    @Test func `an answer is passed on, and that is all`() {
        let end = play(
            start() + [
                (
                    20, .answered(0, Self.content, Self.unknown),
                    [
                        .learn(0, .preservesCase), .reply, .close,
                    ]
                )
            ])
        #expect(end.phase == .over)
        // What is known is not learned again. A name without letters shows nothing.
        play(start(Self.preserving) + [(20, .answered(0, Self.content, Self.preserving), [.reply, .close])])
        let bare = Resolution.Answer.content(isCacheable: true, .small)
        play(start() + [(20, .answered(0, bare, Self.unknown), [.reply, .close])])
    }

    @Test func `an upstream is asked in the form that it understands, but with EDNS where DNSSEC is wanted`() {
        let simple = Self.features {
            $0.changedCase(now: time(0))
            $0.answeredWithoutEDNS(now: time(0))
        }
        #expect(form(play(start()), 0) == UpstreamQuery.Form(usesEDNS: true, mixesCase: true))
        #expect(form(play(start(simple)), 0) == UpstreamQuery.Form(usesEDNS: false, mixesCase: false))
        #expect(form(play(start(simple), .dnssecOK), 0) == UpstreamQuery.Form(usesEDNS: true, mixesCase: false))
    }

    @Test func `others are asked when the first takes long, ever more seldom; the first answer counts`() {
        let hedge = chosen(1, for: .hedge)
        play(
            start() + [
                (150, .due, [.overdue(0), .wait(until: time(450)), .choose(.hedge)]),
                (150, hedge, [.count(.hedges), .send(1)]),
                (450, .due, [.overdue(1), .wait(until: time(850)), .choose(.hedge)]),
                // All were asked, so one of them is asked again.
                (450, hedge, [.count(.hedges), .send(2)]),
                (850, .due, [.overdue(2), .wait(until: time(1250)), .choose(.hedge)]),
                (850, .chosen(nil, .hedge), []),
                (1250, .due, [.wait(until: time(1500)), .choose(.hedge)]),
                (1250, .chosen(nil, .hedge), []),
                // The others are waited for a little longer, to learn how they do.
                (1260, .answered(1, Self.content, Self.preserving), [.reply, .wait(until: time(1500))]),
                (1270, .answered(0, Self.content, Self.unknown), [.learn(0, .preservesCase)]),
                (1280, .answered(2, .failure, Self.preserving), [.close]),
            ])
    }

    @Test func `an upstream that is explored is asked in addition, not instead`() {
        play(
            start() + [
                (0, exploring(1, Self.preserving), [.send(1)]),
                (10, .answered(1, Self.content, Self.preserving), [.reply, .wait(until: time(1010))]),
                (1010, .due, [.overdue(0), .close]),
            ])
    }

    // MARK: Aliases

    private static let alias = Resolution.Answer.content(isCacheable: true, .small, leadsOn: true)

    @Test func `aliases that lead on are followed, with upstreams and time as for a name that is asked for anew`() {
        let end = play(
            start() + [
                (150, .due, [.overdue(0), .wait(until: time(450)), .choose(.hedge)]),
                (150, chosen(1, for: .hedge), [.count(.hedges), .send(1)]),
                // Attempts at the previous name are of no use any longer.
                (200, .answered(1, Self.alias, Self.unknown), [.follow, .choose(.first)]),
                (200, chosen(0, for: .first), [.wait(until: time(350)), .send(0)]),
                (201, .answered(1, Self.content, Self.unknown), []),
                (350, .due, [.overdue(0), .wait(until: time(650)), .choose(.hedge)]),
                (350, chosen(1, for: .hedge), [.count(.hedges), .send(1)]),
                (360, .answered(0, .failure, Self.unknown), [.choose(retry)]),
                (360, .chosen(nil, retry), []),
                (370, .answered(1, Self.content, Self.preserving), [.reply, .close]),
            ])
        #expect(end.hopCount == 1 && end.attempts.count == 2)
        // There is no upstream to ask.
        play(
            start() + [
                (5, .answered(0, Self.alias, Self.unknown), [.follow, .choose(.first)]),
                (5, .chosen(nil, .first), [.fail(.noReachableAuthority), .close]),
            ])
    }

    @Test func `aliases are followed for as long as clients wait, and no longer`() {
        play(
            start() + [
                (1400, .answered(0, Self.alias, Self.unknown), [.follow, .choose(.first)]),
                (1400, chosen(0, for: .first), [.wait(until: time(1500)), .send(0)]),
                (1500, .due, [.count(.timeouts), .fail(.noReachableAuthority), .close]),
            ])
        // They are not followed if nobody waits.
        play(
            start() + [
                (0, exploring(1), [.send(1)]),
                (10, .answered(1, Self.content, Self.preserving), [.reply, .wait(until: time(1010))]),
                (11, .answered(0, Self.alias, Self.unknown), [.close]),
            ])
    }

    @Test func `aliases are followed only so often`() {
        var steps = start()
        for _ in 0..<Resolution.maximumHops {
            steps.append((5, .answered(0, Self.alias, Self.unknown), [.follow, .choose(.first)]))
            steps.append((5, chosen(0, for: .first), [.wait(until: time(155)), .send(0)]))
        }
        play(steps + [(5, .answered(0, Self.alias, Self.unknown), [.fail(.other), .close])])
        play(steps + [(5, .answered(0, Self.content, Self.preserving), [.reply, .close])])
    }

    @Test func `only an attempt that had its usual time is late, whenever one looks, and that is reported once`() {
        play(
            start() + [
                (140, .answered(0, .failure, Self.unknown), [.choose(retry)]),
                (140, chosen(1, for: retry, hedgeDelay: 300), [.count(.retries), .send(1)]),
                // It was asked only a moment ago.
                (150, .due, [.wait(until: time(450)), .choose(.hedge)]),
                (150, chosen(2, for: .hedge, hedgeDelay: 50), [.count(.hedges), .send(2)]),
                (450, .due, [.overdue(1), .overdue(2), .wait(until: time(850)), .choose(.hedge)]),
                (450, chosen(3, for: .hedge, hedgeDelay: 300), [.count(.hedges), .send(3)]),
                (460, .answered(2, Self.content, Self.preserving), [.reply, .wait(until: time(1460))]),
                (1460, .due, [.overdue(3), .close]),
            ])
        // It is not late at the deadline either.
        play(
            start() + [
                (1400, .answered(0, .failure, Self.unknown), [.choose(retry)]),
                (1400, chosen(1, for: retry), [.count(.retries), .send(1)]),
                (1500, .due, [.count(.timeouts), .fail(.noReachableAuthority), .close]),
            ])
    }

    // MARK: Failures

    @Test func `an upstream that fails hands the question to the next one, until all have failed`() {
        let end = play(
            start() + [
                (5, .answered(0, .failure, Self.unknown), [.choose(retry)]),
                (5, chosen(1, for: retry), [.count(.retries), .send(1)]),
                (9, .ended(1, .unreachable), [.learn(1, .unreachable), .choose(retryElsewhere)]),
                (9, .chosen(nil, retryElsewhere), [.fail(.networkError), .close]),
            ])
        #expect(end.excluded == [0, 1])
        // An upstream that was already asked is not asked again either.
        play(
            start() + [
                (5, exploring(1), [.send(1)]),
                (6, .answered(0, .failure, Self.unknown), [.choose(retry)]),
                (6, chosen(1, for: retry), []),
                (7, .answered(1, .failure, Self.unknown), [.choose(retry)]),
                (7, chosen(1, for: retry), [.fail(.noReachableAuthority), .close]),
            ])
        play([
            (0, .begun, [.choose(.first)]),
            (0, .chosen(nil, .first), [.fail(.noReachableAuthority), .close]),
        ])
    }

    @Test func `if there is no socket, nothing is learned of the upstream`() {
        play(
            start() + [
                (0, .unsent(0), [.choose(retryElsewhere)]),
                (0, chosen(1, for: retryElsewhere), [.count(.retries), .send(1)]),
                (0, .unsent(1), [.choose(retryElsewhere)]),
                (0, .chosen(nil, retryElsewhere), [.fail(.networkError), .close]),
            ])
    }

    @Test func `at the deadline clients get something else, and nothing is waited for`() {
        let end = play(
            start() + [
                (1500, .due, [.overdue(0), .count(.timeouts), .fail(.noReachableAuthority), .close]),
                (1501, .answered(0, Self.content, Self.unknown), []),
                (1501, .ended(0, .unreachable), []),
                (1501, .due, []),
            ])
        #expect(end.phase == .over)
    }

    // MARK: Refusals

    /// An ICMP error says that the first upstream is not there. There is no other.
    private var refused: [Step] {
        start() + [
            (1, .refused(0), [.choose(retryElsewhere)]),
            // It is asked once more, from another port.
            (1, chosen(0, for: retryElsewhere), [.count(.retries), .send(1)]),
            // The same error again changes nothing.
            (1, .refused(0), []),
        ]
    }

    @Test func `an upstream that is said not to be there is asked once more, and its answer still counts`() {
        for number in 0...1 {
            play(
                refused + [
                    (9, .answered(number, Self.content, Self.preserving), [.reply, .wait(until: time(1009))])
                ])
        }
        // It is believed if it was said twice, and nobody has answered for as long as an answer usually takes.
        let twice: [Step] =
            refused + [
                (2, .refused(1), [.choose(retryElsewhere)]),
                (2, chosen(0, for: retryElsewhere), []),
            ]
        let end = play(twice + [(150, .due, [.overdue(0), .fail(.networkError), .close])])
        #expect(end.phase == .over && end.attempts.count == 2)
        play(twice + [(149, .answered(0, Self.content, Self.preserving), [.reply, .wait(until: time(1149))])])
        // If it was said once, the upstream is asked again like any other that takes long.
        play(
            refused + [
                (151, .due, [.overdue(0), .overdue(1), .wait(until: time(451)), .choose(.hedge)]),
                (151, chosen(0, for: .hedge), [.count(.hedges), .send(2)]),
            ])
    }

    @Test func `instead of an upstream that is said not to be there another one is asked at once`() {
        let other: [Step] =
            start() + [
                (1, .refused(0), [.choose(retryElsewhere)]),
                (1, chosen(1, for: retryElsewhere), [.count(.retries), .send(1)]),
            ]
        play(
            other + [
                (9, .answered(1, Self.content, Self.preserving), [.reply, .wait(until: time(1009))]),
                (20, .answered(0, Self.content, Self.preserving), [.close]),
            ])
        // If that one fails, the first gets its second chance.
        play(
            other + [
                (9, .answered(1, .failure, Self.preserving), [.choose(retry)]),
                (9, chosen(0, for: retry), [.count(.retries), .send(2)]),
                (10, .refused(2), [.choose(retryElsewhere)]),
                (10, .chosen(nil, retryElsewhere), []),
                (150, .due, [.overdue(0), .fail(.networkError), .close]),
            ])
    }

    // MARK: EDNS

    @Test func `FORMERR or NOTIMP: once more without EDNS, which is learned if it helps; if not, the next upstream`() {
        let refused: [Step] = [(5, .answered(0, .withoutEDNS, Self.preserving), [.send(1)])]
        let end = play(
            start() + refused + [
                (9, .answered(1, Self.content, Self.preserving), [.learn(0, .answersWithoutEDNS), .reply, .close])
            ])
        #expect(form(end, 1) == UpstreamQuery.Form(usesEDNS: false, mixesCase: true))
        play(start() + refused + [(9, .answered(1, .failure, Self.preserving), [.choose(retry)])])
        // A refusal for another reason teaches nothing.
        play(
            start() + refused + [(9, .answered(1, Self.content, Self.preserving), [.reply, .close])], type: .any)
        let odd = Resolution.Answer.content(isCacheable: false, .repeated)
        play(start() + refused + [(9, .answered(1, odd, Self.preserving), [.reply, .close])])
    }

    @Test func `where DNSSEC is wanted, another upstream is tried before that, and nothing is learned`() {
        let refused: [Step] = [(5, .answered(0, .withoutEDNS, Self.preserving), [.choose(.retryWithEDNS(0))])]
        play(
            start() + refused + [
                (5, chosen(1, for: .retryWithEDNS(0)), [.count(.retries), .send(1)]),
                (9, .answered(1, Self.content, Self.preserving), [.reply, .close]),
            ], .dnssecOK)
        let end = play(
            start() + refused + [
                (5, .chosen(nil, .retryWithEDNS(0)), [.send(1)]),
                (9, .answered(1, Self.content, Self.preserving), [.reply, .close]),
            ], .dnssecOK)
        #expect(!form(end, 1).usesEDNS)
    }

    // MARK: Letters

    @Test func `another case from an unknown upstream: it is asked once more, in small letters`() {
        let end = play(
            start() + [
                (5, .otherCase(0, Self.unknown), [.send(1)]),
                // The same answer came again, or it was forged.
                (6, .otherCase(0, Self.unknown), []),
                (
                    9, .answered(1, .content(isCacheable: true, .small), Self.unknown),
                    [
                        .learn(0, .changesCase), .reply, .wait(until: time(1009)),
                    ]
                ),
                (1009, .due, [.overdue(0), .close]),
            ])
        #expect(form(end, 1) == UpstreamQuery.Form(usesEDNS: true, mixesCase: false))
        // Clients do not wait for an upstream that has failed in small letters.
        play(
            start() + [
                (5, .otherCase(0, Self.unknown), [.send(1)]),
                (9, .answered(1, .failure, Self.unknown), [.choose(retry)]),
                (9, .chosen(nil, retry), [.fail(.noReachableAuthority), .wait(until: time(1009))]),
            ])
    }

    /// An upstream that is known to preserve case did not do so: it is asked over TCP.
    private var doubted: [Step] {
        start(Self.preserving) + [(5, .otherCase(0, Self.preserving), [.connect(1, waitingUntil: time(305))])]
    }

    @Test(
        arguments: [
            (.changed, [.learn(0, .changesCase)]), (.repeated, [.learn(0, .changesCaseOverUDP)]), (.small, []),
        ] as [(Resolution.Answer.Letters, [Action])])
    func `another case from one that preserves it: TCP shows whether it still does`(
        letters: Resolution.Answer.Letters, learned: [Action]
    ) {
        let end = play(
            doubted + [
                (
                    9, .answered(1, .content(isCacheable: true, letters), Self.preserving),
                    learned + [
                        .reply, .wait(until: time(1009)),
                    ]
                )
            ])
        #expect(form(end, 1).mixesCase)
        // The right answer may still come.
        play(doubted + [(7, .answered(0, Self.content, Self.preserving), [.reply, .wait(until: time(1007))])])
    }

    @Test func `without TCP it is asked in small letters`() {
        let small: [Step] = [
            (
                400, .answered(2, .content(isCacheable: true, .small), Self.preserving),
                [
                    .learn(0, .changesCase), .reply, .wait(until: time(1400)),
                ]
            )
        ]
        let unopened = play(doubted + [(5, .unsent(1), [.send(2)])] + small)
        #expect(!form(unopened, 2).mixesCase && unopened.attempts[2].transport == .datagram)
        play(doubted + [(9, .ended(1, .connectionEnded(hasAnswered: false)), [.learn(0, .failed), .send(2)])] + small)
        play(
            doubted + [
                (305, .due, [.overdue(0), .overdue(1), .send(2), .wait(until: time(605)), .choose(.hedge)])
            ] + small)
    }

    // MARK: TCP

    /// The answer was truncated: the upstream is asked over TCP.
    private var truncated: [Step] {
        start(Self.preserving)
            + [(5, .answered(0, .truncated, Self.preserving), [.connect(1, waitingUntil: time(305))])]
    }

    @Test
    func `a truncated answer is asked for over TCP, in small letters, and the upstream not asked again meanwhile`() {
        let waiting = play(
            truncated + [
                (305, .due, [.overdue(1), .wait(until: time(605)), .choose(.hedge)]),
                (305, .chosen(nil, .hedge), []),
            ])
        #expect(waiting.excluded == [0] && waiting.asked == [0, 0])
        #expect(form(waiting, 1) == UpstreamQuery.Form(usesEDNS: true, mixesCase: false))
        let content = Resolution.Answer.content(isCacheable: true, .small)
        play(truncated + [(9, .answered(1, content, Self.preserving), [.reply, .close])])
    }

    @Test
    func `where somebody guesses at answers the question goes over TCP, once, and UDP is not believed any longer`() {
        let guessed: [Step] =
            start() + [(5, .ended(0, .guessed), [.connect(1, waitingUntil: time(305))])]
        let content = Resolution.Answer.content(isCacheable: true, .small)
        let end = play(guessed + [(9, .answered(1, content, Self.unknown), [.reply, .close])])
        #expect(form(end, 1) == UpstreamQuery.Form(usesEDNS: true, mixesCase: false) && end.excluded == [])
        play(guessed + [(6, .answered(0, Self.content, Self.unknown), [])])
        // If there is no TCP, another upstream is asked.
        play(
            guessed + [
                (9, .ended(1, .connectionEnded(hasAnswered: false)), [.learn(0, .failed), .choose(retryElsewhere)]),
                (9, .chosen(nil, retryElsewhere), [.fail(.networkError), .close]),
            ])
        // A second attempt over UDP is not believed either.
        play(
            start() + [
                (150, .due, [.overdue(0), .wait(until: time(450)), .choose(.hedge)]),
                (150, chosen(0, for: .hedge), [.count(.hedges), .send(1)]),
                (160, .ended(0, .guessed), [.connect(2, waitingUntil: time(460))]),
                (161, .ended(1, .guessed), []),
            ])
    }

    @Test func `a second truncated answer changes nothing, TC over TCP too is a failure`() {
        play(
            start() + [
                (150, .due, [.overdue(0), .wait(until: time(450)), .choose(.hedge)]),
                (150, chosen(0, for: .hedge), [.count(.hedges), .send(1)]),
                (160, .answered(0, .truncated, Self.unknown), [.connect(2, waitingUntil: time(460))]),
                (165, .answered(1, .truncated, Self.unknown), []),
                (170, .answered(2, .failure, Self.unknown), [.choose(retry)]),
                (170, .chosen(nil, retry), [.fail(.noReachableAuthority), .close]),
            ])
    }

    @Test func `a query is sent again as often as connections end on which others were answered, until the deadline`() {
        let again: [Step] = (1...100).map { number in
            (9 + number, .ended(1, .connectionEnded(hasAnswered: true)), [.reconnect(1)])
        }
        let content = Resolution.Answer.content(isCacheable: true, .small)
        let end = play(truncated + again + [(120, .answered(1, content, Self.preserving), [.reply, .close])])
        #expect(end.attempts.count == 2)
        // Sending it again does not make it any younger.
        play(
            truncated + again + [
                (305, .due, [.overdue(1), .wait(until: time(605)), .choose(.hedge)]),
                (305, chosen(1, for: .hedge), [.count(.hedges), .send(2)]),
                (310, .ended(1, .connectionEnded(hasAnswered: true)), [.reconnect(1)]),
                (310, .unsent(1), [.choose(retryElsewhere)]),
                (310, .chosen(nil, retryElsewhere), []),
            ])
        play(
            truncated + again + [
                (1500, .ended(1, .connectionEnded(hasAnswered: true)), [.choose(retryElsewhere)])
            ])
        // A connection on which nobody was answered is of no use.
        let failed: [Step] = [
            (200, .ended(1, .connectionEnded(hasAnswered: false)), [.learn(0, .failed), .choose(retryElsewhere)])
        ]
        play(truncated + failed + [(200, .chosen(nil, retryElsewhere), [.fail(.networkError), .close])])
        play(
            truncated + again + failed + [
                (200, chosen(1, for: retryElsewhere), [.count(.retries), .send(2)])
            ])
        play(truncated + [(5, .unsent(1), [.choose(retryElsewhere)])])
        // It is not sent again once nobody waits for the answer.
        play(
            truncated + [
                (6, exploring(1, Self.preserving), [.send(2)]),
                (7, .answered(2, Self.content, Self.preserving), [.reply, .wait(until: time(1007))]),
                (9, .ended(1, .connectionEnded(hasAnswered: true)), [.close]),
            ])
        // It is asked for without EDNS, over TCP as before.
        let plain = play(
            truncated + again + [
                (120, .answered(1, .withoutEDNS, Self.preserving), [.connect(2, waitingUntil: time(420))])
            ])
        #expect(plain.attempts[2].lesson == .worksWithoutEDNS && !form(plain, 2).usesEDNS)
    }

    @Test func `a long answer that waits for its turn is not late; one that comes too late ends the question`() {
        let content = Resolution.Answer.content(isCacheable: true, .small)
        play(
            truncated + [
                (9, .postponed(1), []),
                (305, .due, [.wait(until: time(605)), .choose(.hedge)]),
                (305, .chosen(nil, .hedge), []),
                (400, .answered(1, content, Self.preserving), [.reply, .close]),
            ])
        play(truncated + [(9, .ended(1, .tooLong), [.fail(.other), .close])])
        play(
            truncated + [
                (150, .due, [.wait(until: time(450)), .choose(.hedge)]),
                (150, chosen(1, for: .hedge), [.count(.hedges), .send(2)]),
                (160, .answered(2, Self.content, Self.preserving), [.reply, .wait(until: time(1160))]),
                (170, .ended(1, .unwanted), [.close]),
            ])
    }

    // MARK: Limits

    @Test func `no more than so many attempts are made, however the upstreams fail`() {
        var steps = start()
        for number in 0..<Resolution.maximumAttempts - 1 {
            steps.append((5, .answered(number, .failure, Self.unknown), [.choose(retry)]))
            steps.append((5, chosen(number + 1, for: retry), [.count(.retries), .send(number + 1)]))
        }
        let last = Resolution.maximumAttempts - 1
        play(steps + [(5, .answered(last, .failure, Self.unknown), [.fail(.noReachableAuthority), .close])])
        play(steps + [(160, .due, [.overdue(last), .wait(until: time(460))])])
    }

    @Test func `an upstream that refuses EDNS, and truncates, and closes, and so on, comes to an end`() {
        var resolution = play(start())
        for _ in 0..<100 where resolution.phase == .asking {
            var actions: [Action] = []
            let last = resolution.attempts.count - 1
            resolution.handle(.answered(last, .withoutEDNS, Self.unknown), now: time(5), &actions)
        }
        #expect(resolution.attempts.count == Resolution.maximumQueries && resolution.phase == .over)
    }

    // MARK: Probes

    @Test func `a probe is one attempt that nobody waits for`() {
        let probe: [Step] = [(0, .probing(3, Self.unknown), [.wait(until: time(1500)), .send(0)])]
        play(probe + [(9, .answered(0, Self.content, Self.unknown), [.learn(3, .preservesCase), .close])])
        for answer in [Resolution.Answer.failure, .truncated, .withoutEDNS] {
            play(probe + [(9, .answered(0, answer, Self.unknown), [.close])])
        }
        play(probe + [(9, .otherCase(0, Self.unknown), []), (1500, .due, [.overdue(0), .close])])
        play(probe + [(9, .refused(0), []), (1500, .due, [.overdue(0), .close])])
        play(probe + [(9, .ended(0, .unreachable), [.learn(3, .unreachable), .close])])
        play(probe + [(0, .unsent(0), [.close])])
    }
}
