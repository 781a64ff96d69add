/// A client that waits for an upstream.
struct WaitingClient {
    /// The way back to it.
    enum Route {
        case udp(UDPListener, DatagramOrigin)
        case tcp(WeakConnection)
    }

    var frame: ReplyFrame
    /// Header and question as they came.
    var query: [UInt8]
    var route: Route
}

/// A TCP client that may be gone when its answer comes.
struct WeakConnection {
    weak var connection: TCPConnection?
}

/// One question that upstreams are asked, for all clients of a worker that wait for its answer.
final class PendingQuery {
    /// What it is for.
    enum Purpose {
        /// Clients wait for it.
        case clients
        /// To renew an answer before, or after, it has expired.
        case refresh
        /// To see whether an upstream is back.
        case probe
    }

    /// Attempts at most for one question.
    static let maximumAttempts = 8

    let key: CacheKey
    let purpose: Purpose
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

    init(key: CacheKey, purpose: Purpose, upstreams: UpstreamSet, deadline: MonotonicTime) {
        self.key = key
        self.purpose = purpose
        self.upstreams = upstreams
        self.deadline = deadline
    }

    /// The upstreams that were asked.
    var asked: [Int] { attempts.map(\.upstream) }

    /// Those that said that they can't answer.
    var failed: [Int] { attempts.filter { $0.state == .failed }.map(\.upstream) }

    /// Whether an answer may still come.
    var isWaiting: Bool { attempts.contains { $0.state == .waiting } }
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
    let expectation: UpstreamResponse.Expectation
    let sentAt: MonotonicTime
    unowned let query: PendingQuery
    var state = State.waiting
    /// Whether the upstream's health knows that it takes long.
    var isOverdue = false
    /// Where its answer comes in; `nil`: over TCP.
    var socket: UpstreamSocket?
    var connection: UpstreamConnection?
    /// Whether its connection was tried a second time.
    var isSecondConnection = false
    /// Whether it was asked again with small letters.
    var isAskedAgain = false

    init(
        _ query: PendingQuery, upstream: Int, expectation: UpstreamResponse.Expectation, sentAt: MonotonicTime
    ) {
        self.query = query
        self.upstream = upstream
        self.expectation = expectation
        self.sentAt = sentAt
    }
}
