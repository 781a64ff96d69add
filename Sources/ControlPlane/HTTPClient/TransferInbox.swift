import Synchronization

/// What the client's thread is to do, from any thread.
final class TransferInbox: Sendable {
    /// What has come since the last look.
    struct Work: Sendable {
        var added: [Transfer] = []
        /// Whether some transfers were cancelled: which ones, they know themselves.
        var hasCancelled = false
        /// Whether to end.
        var isClosed = false
    }

    private struct State {
        var work = Work()
        /// Transfers that were put in and have not left.
        var count = 0
        /// Whether the thread was woken and has not looked yet.
        var isWoken = false
        /// Whom to wake; `nil` once the thread is to end: what is gone can't be woken.
        var multi: CurlMulti?
    }

    private let maximumRequests: Int
    private let state: Mutex<State>

    init(maximumRequests: Int, multi: CurlMulti) {
        self.maximumRequests = maximumRequests
        state = Mutex(State(multi: multi))
    }

    /// Puts a transfer in.
    ///
    /// - Returns: why it was not taken.
    func append(_ transfer: Transfer) -> HTTPClientError? {
        state.withLock { state in
            if state.work.isClosed { return .shutDown }
            // Before the lock was taken nobody was there to be told; from here on ``cancel(_:)`` tells the thread.
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

    /// Has a transfer ended; nothing when it has already.
    func cancel(_ transfer: Transfer) {
        transfer.cancel()
        state.withLock { state in
            state.work.hasCancelled = true
            Self.wake(&state)
        }
    }

    /// Has the thread end all transfers and itself.
    func close() {
        state.withLock { state in
            state.work.isClosed = true
            Self.wake(&state)
            state.multi = nil
        }
    }

    /// Takes out what is to do.
    func take() -> Work {
        state.withLock { state in
            state.isWoken = false
            let work = state.work
            state.work = Work(isClosed: work.isClosed)
            return work
        }
    }

    /// Ends a transfer that was put in.
    func finish(_ transfer: Transfer, _ outcome: Transfer.Outcome) {
        // First: who is resumed may send again at once.
        state.withLock { $0.count -= 1 }
        transfer.finish(outcome)
    }

    /// Under the lock, so that the handle is there. One octet into a socket.
    private static func wake(_ state: inout State) {
        if !state.isWoken { state.multi?.wake() }
        state.isWoken = true
    }
}

extension HTTPClientError {
    /// For requests that come too late.
    static let shutDown = HTTPClientError(
        kind: .cancelled, reason: "the client was shut down", mayHaveBeenSent: false)

    static func taskCancelled(mayHaveBeenSent: Bool) -> HTTPClientError {
        HTTPClientError(kind: .cancelled, reason: "the task was cancelled", mayHaveBeenSent: mayHaveBeenSent)
    }
}
