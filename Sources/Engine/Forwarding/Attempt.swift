extension Resolution {
    /// One query to one upstream, as far as it matters for the next decision.
    struct Attempt: Equatable {
        /// The transport of the query.
        enum Transport {
            case datagram
            case connection
        }

        enum State {
            /// Its answer has not arrived.
            case waiting
            /// An answer has arrived with the name's letters in another case. The upstream is asked again in another
            /// way; the right answer may still arrive.
            case doubted
            /// A message says that nobody is there, which anybody may have sent: the answer may still arrive.
            case refused
            /// Its answer has arrived; it is long, and will be read in its turn.
            case postponed
            /// It was answered, is not waited for any longer, or was replaced by another attempt.
            case done
            /// No answer comes, or the upstream can't answer.
            case failed
        }

        /// What its answer reveals about its upstream, besides the content.
        enum Lesson {
            /// The upstream answers without EDNS what it had refused with EDNS.
            case worksWithoutEDNS
            /// The upstream answers a name in lower case that it had repeated in another case.
            case worksInSmallLetters
            /// Whether the upstream preserves the letters' case over TCP, where nobody can forge answers.
            case preservesCase
        }

        let upstream: Int
        /// How long its upstream usually takes.
        private let hedgeDelay: Nanoseconds
        /// When it takes longer than it should; `nil`: that was reported already.
        private var lateAt: MonotonicTime?
        private(set) var form: UpstreamQuery.Form
        private(set) var transport = Transport.datagram
        private(set) var lesson: Lesson?
        var state = State.waiting

        /// An attempt over UDP.
        init(upstream: Int, _ form: UpstreamQuery.Form, hedgeDelay: Nanoseconds, at now: MonotonicTime) {
            self.upstream = upstream
            self.form = form
            self.hedgeDelay = hedgeDelay
            lateAt = now + hedgeDelay
        }

        /// Reports, once, that it takes longer than it should.
        mutating func becomesLate(at now: MonotonicTime) -> Bool {
            guard isWaiting, state != .postponed, let lateAt, lateAt <= now else { return false }
            self.lateAt = nil
            return true
        }

        /// Whether anything may still come of it.
        var isWaiting: Bool {
            switch state {
            case .waiting, .doubted, .refused, .postponed: true
            case .done, .failed: false
            }
        }

        /// Whether its own answer is still expected.
        var isHopeful: Bool { state == .waiting || state == .postponed }

        /// Whether it waits for this upstream's answer over TCP.
        func isAskingOverTCP(_ upstream: Int) -> Bool {
            self.upstream == upstream && transport == .connection && isWaiting
        }

        // MARK: In another way

        func withoutEDNS(at now: MonotonicTime) -> Attempt {
            var attempt = again(at: now, over: transport)
            attempt.form.usesEDNS = false
            attempt.lesson = .worksWithoutEDNS
            return attempt
        }

        func inSmallLetters(at now: MonotonicTime) -> Attempt {
            var attempt = again(at: now, over: .datagram)
            attempt.form.mixesCase = false
            attempt.lesson = .worksInSmallLetters
            return attempt
        }

        /// - Parameter mixesCase: `nil`: as before.
        func overTCP(at now: MonotonicTime, mixesCase: Bool? = nil, showing lesson: Lesson?) -> Attempt {
            var attempt = again(at: now, over: .connection)
            attempt.form.mixesCase = mixesCase ?? form.mixesCase
            attempt.lesson = lesson
            return attempt
        }

        private func again(at now: MonotonicTime, over transport: Transport) -> Attempt {
            var attempt = self
            // A connection takes one more round trip.
            attempt.lateAt = now + (transport == .datagram ? hedgeDelay : UpstreamHealth.maximumHedgeDelay)
            attempt.transport = transport
            attempt.state = .waiting
            return attempt
        }

        // MARK: What it shows

        /// What its answer reveals.
        ///
        /// - Parameters:
        ///   - isTypical: whether the upstream would answer other questions in the same way.
        ///   - letters: how the answer's letters compare with the query's.
        func finding(_ isTypical: Bool, _ letters: Answer.Letters) -> UpstreamFinding? {
            switch (lesson, letters) {
            case (.worksWithoutEDNS, _): isTypical ? .answersWithoutEDNS : nil
            case (.worksInSmallLetters, _), (.preservesCase, .changed): .changesCase
            case (.preservesCase, .repeated): .changesCaseOverUDP
            case (.preservesCase, .small), (nil, _): nil
            }
        }

        /// Whether its answer shows that the upstream preserves case.
        func showsCase(_ letters: Answer.Letters) -> Bool {
            transport == .datagram && form.mixesCase && letters == .repeated
        }
    }
}
