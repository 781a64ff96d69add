import Engine
import Logging
import Synchronization

/// Limits how many requests a second each client address may make. Heartbeats are counted apart: a storm of
/// registrations must not end in instances that expire.
final class RequestLimiter: Sendable {
    /// What is counted together.
    enum Kind: String, CaseIterable, Sendable {
        /// Requests that keep instances alive: heartbeats, and results of checks.
        case heartbeats
        /// All others.
        case requests
    }

    private struct State {
        var heartbeats = RequestRate()
        var requests = RequestRate()
        var refusedHeartbeats = 0
        var refusedRequests = 0
    }

    private let perSecond = Atomic<Int>(0)
    private let logger: Logger
    private let time: TimeSource
    private let lines: LimitedLines
    private let state = Mutex(State())

    init(
        logger: Logger = Logger(label: "none") { _ in SwiftLogNoOpLogHandler() }, time: TimeSource = .system,
        timers: any Timers = EventLoopTimers.shared
    ) {
        self.logger = logger
        self.time = time
        lines = LimitedLines(LineLimit(lines: 10, in: .seconds(10)), time: time, timers: timers)
    }

    /// How many requests of each kind an address may make in a second; 0: there is no limit.
    var requestsPerSecond: Int {
        get { perSecond.load(ordering: .relaxed) }
        set { perSecond.store(newValue, ordering: .relaxed) }
    }

    /// How many requests of a kind were refused since the start.
    func refusedCount(_ kind: Kind) -> Int {
        state.withLock { kind == .heartbeats ? $0.refusedHeartbeats : $0.refusedRequests }
    }

    /// Counts a request.
    ///
    /// - Returns: how long its client has to wait; `nil`: it is within the limit.
    func take(_ kind: Kind, from client: IPAddress) -> Duration? {
        let allowed = requestsPerSecond
        guard allowed > 0 else { return nil }
        let now = time.now().monotonic
        let client = client.unmapped
        let wait = state.withLock { state in
            let wait: Duration?
            switch kind {
            case .heartbeats:
                wait = state.heartbeats.take(client, perSecond: allowed, now: now)
                if wait != nil { state.refusedHeartbeats += 1 }
            case .requests:
                wait = state.requests.take(client, perSecond: allowed, now: now)
                if wait != nil { state.refusedRequests += 1 }
            }
            return wait
        }
        guard wait != nil else { return nil }
        let isWritten = lines.take { [logger] count in
            logger.warning(
                "more requests were refused: their clients make more than server.rate_limit allows",
                metadata: ["count": "\(count)"])
        }
        if isWritten {
            logger.warning(
                "a request is refused: its client makes more than server.rate_limit allows",
                metadata: ["client": "\(client)", "kind": "\(kind.rawValue)", "requests_per_second": "\(allowed)"])
        }
        return wait
    }
}
