/// One question that upstreams are asked, for all clients of a worker that wait for its answer.
final class PendingQuery {
    /// Attempts for one question after which no further upstream is asked.
    static let maximumAttempts = 8
    /// Attempts at most, with those that ask again in another way because of what an upstream has answered.
    static let maximumQueries = 24

    let key: CacheKey
    let upstreams: UpstreamSet
    /// When clients get something else.
    let deadline: MonotonicTime
    var clients: [WaitingClient] = []
    var attempts: [UpstreamAttempt] = []
    /// For the time when something is to be done if nothing has come; `nil`: nothing is.
    var ticket: DeadlineWheel<Forwarder.Call>.Ticket?
    /// How long until another attempt.
    var patience = Nanoseconds.zero
    /// Whether the clients have their answer. Attempts may still wait for theirs.
    var isFinished = false

    init(key: CacheKey, upstreams: UpstreamSet, deadline: MonotonicTime) {
        self.key = key
        self.upstreams = upstreams
        self.deadline = deadline
    }

    /// The upstreams that were asked.
    var asked: [Int] { attempts.map(\.upstream) }

    /// Those that said that they can't answer.
    var failed: [Int] { attempts.filter { $0.state == .failed }.map(\.upstream) }

    /// Those that are being asked over TCP.
    var askedOverTCP: [Int] { attempts.filter { $0.isOverTCP && $0.state == .waiting }.map(\.upstream) }

    /// Whether an attempt waits for an answer.
    var isWaiting: Bool { attempts.contains { $0.state == .waiting } }

    /// Whether an answer is to be expected: not from an attempt in whose place the upstream was asked in another way.
    var expectsAnswer: Bool { attempts.contains { $0.state == .waiting && !$0.isAskedAgain } }
}

/// What the answer to an attempt shows of its upstream, besides what was asked.
enum UpstreamLesson {
    /// That it answers without EDNS what it had refused with it.
    case worksWithoutEDNS
    /// That it answers in small letters what it had repeated in another case.
    case worksInSmallLetters
    /// Whether it repeats the letters' case where nobody can forge it, over TCP.
    case preservesCase
}

/// One query to one upstream.
final class UpstreamAttempt {
    enum State {
        case waiting
        /// Answered, or another attempt stands in for it.
        case done
        case failed
    }

    let upstream: Int
    let form: UpstreamQuery.Form
    let lesson: UpstreamLesson?
    let expectation: UpstreamResponse.Expectation
    let sentAt: MonotonicTime
    let isOverTCP: Bool
    unowned let query: PendingQuery
    var state = State.waiting
    /// Whether it is known already that it takes long.
    var isOverdue = false
    /// Where its answer comes in; `nil`: over TCP.
    var socket: UpstreamSocket?
    /// Where its answer comes in; `nil`: over UDP, or it has come and waits to be read.
    var connection: UpstreamConnection?
    /// Whether its connection was tried a second time.
    var isSecondConnection = false
    /// Whether the upstream was asked again because of an answer in another case.
    var isAskedAgain = false

    init(
        _ query: PendingQuery, upstream: Int, _ form: UpstreamQuery.Form, showing lesson: UpstreamLesson?,
        expectation: UpstreamResponse.Expectation, isOverTCP: Bool, sentAt: MonotonicTime
    ) {
        self.query = query
        self.upstream = upstream
        self.form = form
        self.lesson = lesson
        self.expectation = expectation
        self.isOverTCP = isOverTCP
        self.sentAt = sentAt
    }
}
