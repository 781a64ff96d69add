import Synchronization

/// Tells one who waits to answer a request that the client has gone, or that the server is about to stop.
final class ConnectionEnd: Sendable {
    private struct State {
        var hasCome = false
        var action: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Has `action` called when the end has come; at once if it has. There is one request at a time, and one action.
    func whenItComes(_ action: @escaping @Sendable () -> Void) {
        let hasCome = state.withLock { state in
            if !state.hasCome { state.action = action }
            return state.hasCome
        }
        if hasCome { action() }
    }

    /// Has nothing called any longer.
    func forget() {
        state.withLock { $0.action = nil }
    }

    /// Notes that it has come.
    func come() {
        let action = state.withLock { state in
            state.hasCome = true
            return state.action.take()
        }
        action?()
    }
}
