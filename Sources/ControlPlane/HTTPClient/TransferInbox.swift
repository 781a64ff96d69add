import Synchronization

/// The work for the client's thread; any thread may add to it.
final class TransferInbox: Sendable {
    /// The work that has come since the last look.
    struct Work: Sendable {
        var added: [Transfer] = []
        /// Whether some transfers were cancelled; they are marked themselves.
        var hasCancelled = false
        /// Whether the thread is to end.
        var isClosed = false
    }

    private struct State {
        var work = Work()
        /// The number of transfers that have not ended yet.
        var count = 0
        /// Whether the thread was woken and has not looked yet.
        var isWoken = false
        /// The handle to wake; `nil` once the thread is to end, because a freed handle can't be woken.
        var multi: CurlMulti?
    }

    private let maximumRequests: Int
    private let state: Mutex<State>

    init(maximumRequests: Int, multi: CurlMulti) {
        self.maximumRequests = maximumRequests
        state = Mutex(State(multi: multi))
    }

    /// Adds a transfer.
    ///
    /// - Returns: why it was refused, or `nil`.
    func append(_ transfer: Transfer) -> HTTPClientError? {
        state.withLock { state in
            if state.work.isClosed { return .shutDown }
            // Before this, ``cancel(_:)`` only marks the transfer; once it is added, the thread looks at the mark.
            if transfer.isCancelled { return .taskCancelled(mayHaveBeenSent: false) }
            if state.count >= maximumRequests {
                let reason = "\(maximumRequests) requests run or wait"
                return HTTPClientError(kind: .overloaded, reason: reason, mayHaveBeenSent: false)
            }
            state.count += 1
            state.work.added.append(transfer)
            Self.wake(&state)
            return nil
        }
    }

    /// Ends a transfer; does nothing if it has ended already.
    func cancel(_ transfer: Transfer) {
        transfer.cancel()
        state.withLock { state in
            state.work.hasCancelled = true
            Self.wake(&state)
        }
    }

    /// Makes the thread end all transfers and then itself.
    func close() {
        state.withLock { state in
            state.work.isClosed = true
            Self.wake(&state)
            state.multi = nil
        }
    }

    /// Takes all waiting work.
    func take() -> Work {
        state.withLock { state in
            state.isWoken = false
            let work = state.work
            state.work = Work(isClosed: work.isClosed)
            return work
        }
    }

    /// Ends a transfer that was added.
    func finish(_ transfer: Transfer, _ outcome: Transfer.Outcome) {
        // Before the task resumes: it may send again at once.
        state.withLock { $0.count -= 1 }
        transfer.finish(outcome)
    }

    /// Called under the lock, so that the handle still exists. Sends one octet to a socket.
    private static func wake(_ state: inout State) {
        if !state.isWoken { state.multi?.wake() }
        state.isWoken = true
    }
}

extension HTTPClientError {
    /// The error for requests that come after ``close()``.
    static let shutDown = HTTPClientError(
        kind: .cancelled, reason: "the client was shut down", mayHaveBeenSent: false)

    static func taskCancelled(mayHaveBeenSent: Bool) -> HTTPClientError {
        HTTPClientError(kind: .cancelled, reason: "the task was cancelled", mayHaveBeenSent: mayHaveBeenSent)
    }
}
