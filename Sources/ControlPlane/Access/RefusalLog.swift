import Engine
import Logging
import Synchronization

/// Counts what is refused to clients, and logs it: ten lines in ten seconds, and then how many others there were. No
/// line has anything of what a client has presented.
final class RefusalLog: Sendable {
    private struct State {
        var counts = AccessRefusal.Counts()
        /// What was counted when the last line was written.
        var told = AccessRefusal.Counts()
        var limit = LineLimit(lines: 10, in: .seconds(10))
    }

    private let logger: Logger
    private let time: TimeSource
    private let timers: any Timers
    private let state = Mutex(State())

    init(logger: Logger, time: TimeSource, timers: any Timers) {
        self.logger = logger
        self.time = time
        self.timers = timers
    }

    /// How often requests were refused since the start.
    var counts: AccessRefusal.Counts { state.withLock { $0.counts } }

    /// Notes that a request is refused.
    ///
    /// - Parameters:
    ///   - endpoint: the method and path of the endpoint, not of the request.
    func note(_ refusal: AccessRefusal, client: IPAddress?, endpoint: String) {
        var metadata: Logger.Metadata = ["client": "\(client.map(\.description) ?? "unknown")"]
        metadata["endpoint"] = "\(endpoint)"
        let message: Logger.Message
        switch refusal {
        case .noToken: message = "a request is refused: it has no token"
        case .unknownToken: message = "a request is refused: its token is unknown"
        case .malformed(let reason):
            message = "a request is refused: its token can't be read"
            metadata["reason"] = "\(reason)"
        case .role(let role, let token):
            message = "a request is refused: its token has not the role for it"
            metadata["token"] = "\(token)"
            metadata["needed"] = "\(role.rawValue)"
        }
        let isWritten = take { counts in
            switch refusal {
            case .noToken: counts.withoutToken += 1
            case .unknownToken: counts.unknownToken += 1
            case .malformed: counts.malformed += 1
            case .role: counts.role += 1
            }
        }
        if isWritten { logger.warning(message, metadata: metadata) }
    }

    /// Notes that changes are refused because of what they are about.
    ///
    /// - Parameter count: how many changes of one request; 1 or more.
    func note(_ denial: Denial, by requester: Requester, count: Int = 1) {
        let isWritten = take { counts in
            switch denial {
            case .service: counts.service += count
            case .policyBounds: counts.bounds += count
            }
        }
        guard isWritten else { return }
        var metadata: Logger.Metadata = ["client": "\(requester.client.map(\.description) ?? "unknown")"]
        metadata["token"] = "\(requester.token?.name ?? "none")"
        if count > 1 { metadata["count"] = "\(count)" }
        switch denial {
        case .service(let name):
            metadata["name"] = "\(name)"
            logger.warning("a change is refused: its token may not change the service", metadata: metadata)
        case .policyBounds(let name):
            metadata["name"] = "\(name)"
            logger.warning("a change is refused: only an admin sets bounds", metadata: metadata)
        }
    }

    /// - Returns: whether a line is to be written.
    private func take(_ count: (inout AccessRefusal.Counts) -> Void) -> Bool {
        let (answer, window) = state.withLock { state in
            count(&state.counts)
            let answer = state.limit.take(now: time.now().monotonic)
            if answer == .written { state.told = state.counts }
            return (answer, state.limit.window)
        }
        if answer == .firstLeft { timers.once(after: window) { [self] in tellOfOthers() } }
        return answer == .written
    }

    private func tellOfOthers() {
        let (count, counts, told) = state.withLock { state in
            defer { state.told = state.counts }
            return (state.limit.takeLeft(), state.counts, state.told)
        }
        if count == 0 { return }
        logger.warning(
            "more requests were refused",
            metadata: [
                "count": "\(count)", "unauthorized": "\(counts.unauthorized - told.unauthorized)",
                "forbidden": "\(counts.forbidden - told.forbidden)",
                "malformed": "\(counts.malformed - told.malformed)",
            ])
    }
}
