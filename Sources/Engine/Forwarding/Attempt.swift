extension Resolution {
    /// One query to one upstream, as far as it decides about what comes next.
    struct Attempt: Equatable {
        /// What it is sent over.
        enum Transport {
            case datagram
            case connection
        }

        enum State {
            /// Its answer has not come.
            case waiting
            /// What has come has the name's letters in another case. The upstream is asked in another way; the right
            /// answer may come yet.
            case doubted
            /// It is said that nobody is there, which anybody may have sent: the answer may come yet.
            case refused
            /// Its answer has come, is long, and will be read in its turn.
            case postponed
            /// Answered, or not waited for any longer, or another attempt stands in for it.
            case done
            /// No answer comes, or the upstream can't answer.
            case failed
        }

        /// What its answer shows of its upstream, besides what was asked.
        enum Lesson {
            /// That it answers without EDNS what it had refused with it.
            case worksWithoutEDNS
            /// That it answers in small letters what it had repeated in another case.
            case worksInSmallLetters
            /// Whether it repeats the letters' case where nobody can forge it, over TCP.
            case preservesCase
        }

        let upstream: Int
        /// How long its upstream usually takes.
        private let patience: Nanoseconds
        /// When it takes longer than it should; `nil`: it was said that it does.
        private var lateAt: MonotonicTime?
        private(set) var form: UpstreamQuery.Form
        private(set) var transport = Transport.datagram
        private(set) var lesson: Lesson?
        var state = State.waiting

        /// One over UDP.
        init(upstream: Int, _ form: UpstreamQuery.Form, patience: Nanoseconds, at now: MonotonicTime) {
            self.upstream = upstream
            self.form = form
            self.patience = patience
            lateAt = now + patience
        }

        /// Says that it takes longer than it should, once.
        mutating func becomesLate(at now: MonotonicTime) -> Bool {
            guard isWaiting, state != .postponed, let lateAt, lateAt <= now else { return false }
            self.lateAt = nil
            return true
        }

        /// Whether something may still come of it.
        var isWaiting: Bool {
            switch state {
            case .waiting, .doubted, .refused, .postponed: true
            case .done, .failed: false
            }
        }

        /// Whether its own answer is to be expected.
        var isHopeful: Bool { state == .waiting || state == .postponed }

        /// Whether it waits for the answer of this upstream over TCP.
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
            // A connection takes a round trip more.
            attempt.lateAt = now + (transport == .datagram ? patience : UpstreamHealth.maximumPatience)
            attempt.transport = transport
            attempt.state = .waiting
            return attempt
        }

        // MARK: What it shows

        /// What its answer shows.
        ///
        /// - Parameters:
        ///   - isTypical: whether the upstream answers other questions too as it has answered this one.
        ///   - letters: of the answer.
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
