/// The events in a question's life, and the actions that follow. Attempts are identified by their number.
extension Resolution {
    enum Event {
        /// Clients have asked.
        case begun
        /// No client has asked: this upstream is to be tested.
        case probing(Int, UpstreamFeatures)
        /// The result of ``Action/choose(_:)``; `nil`: there is no upstream left.
        case chosen(Choice?, Purpose)
        /// This upstream is to be asked in addition, to learn how it is doing.
        case exploring(Choice)
        /// No socket or connection was available for this attempt.
        case unsent(Int)
        /// An answer has arrived with the name's letters in another case, which anybody may have sent.
        case otherCase(Int, UpstreamFeatures)
        /// A long answer has arrived, and will be read in its turn.
        case postponed(Int)
        /// An answer has arrived. The features are those known before it.
        case answered(Int, Answer, UpstreamFeatures)
        /// A message says that nobody is there, which anybody may have sent.
        case refused(Int)
        /// No answer will come.
        case ended(Int, ExchangeEnd)
        /// A newer question takes its place.
        case crowded
        /// The time set by ``Action/wait(until:)`` has come.
        case due
    }

    enum Action: Equatable {
        /// Choose an upstream that was not asked yet, if there is one, and report it.
        case choose(Purpose)
        /// Send this attempt's query over UDP, or report that it could not be sent.
        case send(Int)
        /// The same over TCP. If it is sent, wait until this time.
        case connect(Int, waitingUntil: MonotonicTime)
        /// Send this attempt's query over TCP again, on another connection, without waiting any longer.
        case reconnect(Int)
        /// Report when this time has come; it replaces any time set before.
        case wait(until: MonotonicTime)
        /// Note that this attempt takes longer than it should.
        case overdue(Int)
        /// Remember this about an upstream.
        case learn(Int, UpstreamFinding)
        case count(Counter)
        /// Send the clients the answer that has arrived.
        case reply
        /// Keep the answer that has arrived for its aliases, and stop waiting for others: from now on attempts ask for
        /// the name that the aliases lead to.
        case follow
        /// Send the clients an expired answer, or SERVFAIL.
        case fail(ExtendedError)
        /// Send the clients an expired answer, or SERVFAIL, and don't remember that as a failure.
        case giveWay
        /// Stop: nothing is waited for any longer.
        case close
    }

    /// The reason for choosing an upstream.
    enum Purpose: Equatable {
        case first
        /// Another upstream has failed, for this reason.
        case retry(after: ExtendedError)
        /// This attempt's upstream does not support EDNS, so it has no DNSSEC records, which are wanted.
        case retryWithEDNS(Int)
        /// The others take long. If all were asked, one may be asked again.
        case hedge
    }

    /// The upstream to ask.
    struct Choice {
        var upstream: Int
        var features: UpstreamFeatures
        /// How long it usually takes, and how long to wait before another attempt.
        var hedgeDelay: Nanoseconds
    }

    /// The kind of an upstream's answer, see ``UpstreamResponse``.
    enum Answer: Equatable {
        /// How the letters of the name in it compare with the query's.
        enum Letters {
            /// The query had no capitals, so nothing can be learned.
            case small
            /// They are the same as in the query.
            case repeated
            /// Some have another case than in the query.
            case changed
        }

        case truncated
        case withoutEDNS
        case failure
        /// An answer to pass on, or aliases that lead to a name which has to be asked for.
        case content(isCacheable: Bool, Letters, leadsOn: Bool = false)
    }
}
