/// What happens in a question's life, and what is to be done. Attempts are named by their number.
extension Resolution {
    enum Event {
        /// Clients have asked.
        case begun
        /// No client has asked: it is to be seen whether this upstream answers.
        case probing(Int, UpstreamFeatures)
        /// What ``Action/choose(_:)`` has found; `nil`: there is no upstream left.
        case chosen(Choice?, Purpose)
        /// This upstream is to be asked besides, to learn how it does.
        case exploring(Choice)
        /// No socket or connection was to be had for this attempt.
        case unsent(Int)
        /// An answer has come with the name's letters in another case, which anybody may have sent.
        case otherCase(Int, UpstreamFeatures)
        /// An answer has come that is long, and will be read in its turn.
        case postponed(Int)
        /// An answer has come. What is known of the upstream is as it was before.
        case answered(Int, Answer, UpstreamFeatures)
        /// It is said that nobody is there, which anybody may have sent.
        case refused(Int)
        /// No answer will come.
        case ended(Int, ExchangeEnd)
        /// The time that was waited for has come.
        case due
    }

    enum Action: Equatable {
        /// Choose an upstream that was not asked yet, if there is one, and tell.
        case choose(Purpose)
        /// Send this attempt's query over UDP, or tell that it was not to be sent.
        case send(Int)
        /// The same over TCP. If it is sent, wait until that time.
        case connect(Int, waitingUntil: MonotonicTime)
        /// Send this attempt's query over TCP once more, on another connection, without waiting any longer for it.
        case reconnect(Int)
        /// Tell when that time has come, in place of any before.
        case wait(until: MonotonicTime)
        /// Note that this attempt takes longer than it should.
        case overdue(Int)
        /// Remember this of an upstream.
        case learn(Int, UpstreamFinding)
        case count(Counter)
        /// Give the clients the answer that has come.
        case reply
        /// Keep the answer that has come for its aliases, and wait for nothing else: from now on attempts ask for the
        /// name that they lead to.
        case follow
        /// Give the clients an answer that has expired, or SERVFAIL.
        case fail(ExtendedError)
        /// Nothing is waited for any longer.
        case close
    }

    /// What an upstream is chosen for.
    enum Purpose: Equatable {
        case first
        /// Another one has failed, for this reason.
        case retry(after: ExtendedError)
        /// This attempt's upstream does not know EDNS, and so has no DNSSEC records, which are wanted.
        case retryWithEDNS(Int)
        /// Others take long. When all were asked, one may be asked again.
        case hedge
    }

    /// The upstream to ask.
    struct Choice {
        var upstream: Int
        var features: UpstreamFeatures
        /// How long it usually takes, and to wait before another attempt.
        var patience: Nanoseconds
    }

    /// What an upstream has answered, see ``UpstreamResponse``.
    enum Answer: Equatable {
        /// The letters of the name in it.
        enum Letters {
            /// The query had no capitals: it shows nothing.
            case small
            /// As in the query.
            case repeated
            /// Some have another case than in the query.
            case changed
        }

        case truncated
        case withoutEDNS
        case failure
        /// Something to pass on, or aliases that lead to a name which has to be asked for.
        case content(isCacheable: Bool, Letters, leadsOn: Bool = false)
    }
}
