import Engine
import Logging
import Synchronization

/// Decides who may use the API. The tokens may be replaced at any time; then whoever waits for something by one that is
/// gone is told.
final class AccessControl: Sendable {
    private struct Watcher {
        var requester: Requester
        var action: @Sendable () -> Void
    }

    private struct State {
        /// `nil`: no tokens are configured, and anybody may do anything.
        var table: TokenTable?
        var watchers: [UInt64: Watcher] = [:]
        var nextWatcher: UInt64 = 0

        /// Whether what was admitted would be admitted now.
        func isValid(_ requester: Requester) -> Bool {
            guard let table else { return true }
            return requester.token.map { table.token($0.credential) != nil } ?? false
        }
    }

    /// Counts and logs what is refused.
    let refusals: RefusalLog
    private let state: Mutex<State>
    private let changes = Atomic<UInt64>(0)

    /// - Parameter table: all tokens; `nil`: none are configured.
    init(
        _ table: TokenTable? = nil, logger: Logger = Logger(label: "none") { _ in SwiftLogNoOpLogHandler() },
        time: TimeSource = .system, timers: any Timers = EventLoopTimers.shared
    ) {
        state = Mutex(State(table: table))
        refusals = RefusalLog(logger: logger, time: time, timers: timers)
    }

    /// Whether a token is needed.
    var isRequired: Bool { state.withLock { $0.table != nil } }

    /// The number of tokens; `nil`: none are needed.
    var tokenCount: Int? { state.withLock { $0.table?.tokens.count } }

    /// Another number each time the tokens have been replaced.
    var generation: UInt64 { changes.load(ordering: .acquiring) }

    /// Replaces all tokens; `nil`: none are configured any more.
    func adopt(_ table: TokenTable?) {
        let revoked = state.withLock { state in
            state.table = table
            changes.add(1, ordering: .releasing)
            let revoked = state.watchers.filter { !state.isValid($0.value.requester) }
            for number in revoked.keys { state.watchers[number] = nil }
            return Array(revoked.values)
        }
        for watcher in revoked { watcher.action() }
    }

    /// Finds out who sends a request.
    ///
    /// - Parameters:
    ///   - credentials: the request's `Authorization` fields.
    ///   - subject: the subject of the client's certificate, if TLS has verified one. A bearer token comes before it.
    ///   - role: the one that the request needs.
    func admit(
        credentials fields: [String], subject: String?, client: IPAddress?, for role: Role
    ) throws(AccessRefusal) -> Requester {
        guard let table = state.withLock({ $0.table }) else { return Requester(client: client) }
        let token: Token?
        switch Credentials(fields) {
        case .bearer(let text): token = table.token(TokenHash(of: text.utf8))
        case .malformed(let reason): throw .malformed(reason)
        case .none, .otherScheme:
            guard let subject else { throw .noToken }
            token = table.token(subject: subject)
        }
        guard let token else { throw .unknownToken }
        guard token.role >= role else { throw .role(role, token: token.name) }
        return Requester(token: token, client: client)
    }

    /// Whether what was admitted would be admitted now.
    func isValid(_ requester: Requester) -> Bool { state.withLock { $0.isValid(requester) } }

    /// Has `action` called once the token of somebody is gone; at once if it is.
    ///
    /// - Returns: a closure that has it forgotten.
    func whenRevoked(
        _ requester: Requester, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let number = state.withLock { state -> UInt64? in
            guard state.isValid(requester) else { return nil }
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = Watcher(requester: requester, action: action)
            return state.nextWatcher
        }
        guard let number else {
            action()
            return {}
        }
        return { [self] in state.withLock { $0.watchers[number] = nil } }
    }
}
