import Engine
import Logging
import ServiceLifecycle

/// Finds what is worth logging about upstreams, by comparing their statistics from look to look. Pure: time is passed
/// in.
struct UpstreamWatch {
    /// Something that an operator should know about an upstream.
    enum News: Equatable {
        case stoppedAnswering
        case answersAgain
        /// It leads back to this server, so it is not asked.
        case leadsBack
        case leadsBackNoLonger
        /// Somebody guessed at its answers: the number of ports where that happened since the last report.
        case guesses(UInt64)
    }

    /// How long a change must last before it is reported: an occasional late answer is no news.
    static let patience = Duration.seconds(2)
    /// How long a silent upstream counts as answering after an answer: one that comes back slowly is probed less often
    /// than it is looked at. It must not exceed a silence that goes unreported, or the two reports would alternate.
    static let memory = Duration.seconds(3)
    /// The shortest time between two reports of guesses.
    static let guessInterval = Duration.seconds(60)

    fileprivate struct Record {
        var isSilent = false
        /// When the state began to differ from the reported one.
        var changedAt: ContinuousClock.Instant?
        var answers: UInt64 = 0
        /// When it was last seen to answer.
        var answeredAt: ContinuousClock.Instant?
        var leadsBack = false
        var guesses: UInt64 = 0
        var guessesToldAt: ContinuousClock.Instant?
    }

    private var records: [SocketAddress: Record] = [:]

    /// Looks at all upstreams, and returns the news.
    mutating func look(
        at upstreams: [UpstreamStatistics], now: ContinuousClock.Instant
    ) -> [(upstream: SocketAddress, news: News)] {
        let known = records
        records = [:]
        var news: [(upstream: SocketAddress, news: News)] = []
        for upstream in upstreams where records[upstream.address] == nil {
            var record = known[upstream.address] ?? Record()
            news += record.look(at: upstream, now: now).map { (upstream.address, $0) }
            records[upstream.address] = record
        }
        return news
    }
}

extension UpstreamWatch.Record {
    mutating func look(
        at upstream: UpstreamStatistics, now: ContinuousClock.Instant
    ) -> [UpstreamWatch.News] {
        var news: [UpstreamWatch.News] = []
        if upstream.leadsBack != leadsBack {
            leadsBack = upstream.leadsBack
            news.append(leadsBack ? .leadsBack : .leadsBackNoLonger)
        }
        // An upstream that is too slow to be asked still answers.
        let hasAnswered = upstream.isAnswering || upstream.answers != answers
        answers = upstream.answers
        if hasAnswered { answeredAt = now }
        let isRemembered = isSilent && answeredAt.map { now - $0 < UpstreamWatch.memory } ?? false
        let isSilentNow = !hasAnswered && !leadsBack && !isRemembered
        if isSilentNow == isSilent {
            changedAt = nil
        } else if let changedAt, now - changedAt >= UpstreamWatch.patience, isSilentNow || hasAnswered || leadsBack {
            isSilent = isSilentNow
            self.changedAt = nil
            news.append(isSilent ? .stoppedAnswering : .answersAgain)
        } else {
            changedAt = changedAt ?? now
        }
        if upstream.guesses > guesses, guessesToldAt.map({ now - $0 >= UpstreamWatch.guessInterval }) ?? true {
            news.append(.guesses(upstream.guesses - guesses))
            guesses = upstream.guesses
            guessesToldAt = now
        }
        return news
    }
}

extension UpstreamWatch.News {
    /// Logs one line for each.
    func log(of upstream: SocketAddress, to logger: Logger) {
        let metadata: Logger.Metadata = ["upstream": "\(upstream)"]
        switch self {
        case .stoppedAnswering: logger.warning("upstream stopped answering", metadata: metadata)
        case .answersAgain: logger.info("upstream answers again", metadata: metadata)
        case .leadsBack:
            logger.warning("upstream leads back to this server, and is not asked while it does", metadata: metadata)
        case .leadsBackNoLonger: logger.info("upstream leads back to this server no longer", metadata: metadata)
        case .guesses(let count):
            logger.warning(
                "somebody guesses at answers of an upstream: what waited for them was asked over TCP",
                metadata: metadata.merging(["count": "\(count)"]) { $1 })
        }
    }
}

/// Logs the news about upstreams.
struct UpstreamWatchService: Service {
    private static let interval = Duration.seconds(1)

    let engine: Engine
    let logger: Logger

    func run() async throws {
        var watch = UpstreamWatch()
        let looks = Ticker(every: Self.interval, on: EventLoopTimers.shared)
        for await _ in looks.ticks.cancelOnGracefulShutdown() {
            for (upstream, news) in watch.look(at: engine.upstreamStatistics(), now: .now) {
                news.log(of: upstream, to: logger)
            }
        }
    }
}
