import Synchronization

/// A request on its way, and the task that waits for it.
final class Transfer: Sendable {
    typealias Outcome = Result<HTTPClientResponse, HTTPClientError>

    let request: HTTPClientRequest
    /// ``HTTPClientRequest/origin``, computed once.
    let origin: String
    /// Who receives a stream; `nil`: the body is collected.
    let stream: ResponseStream?
    /// When the request's timeout ends.
    let deadline: ContinuousClock.Instant?
    private let cancelled = Atomic(false)
    private let continuation = Mutex<CheckedContinuation<Outcome, Never>?>(nil)

    init(_ request: HTTPClientRequest, stream: ResponseStream? = nil) {
        self.request = request
        self.stream = stream
        origin = request.origin
        // A year is long enough, and can't overflow.
        deadline = request.timeout.map { .now + min($0, .seconds(31_536_000)) }
    }

    /// Whether ``cancel()`` was called.
    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// Marks the transfer, on any thread; the client's thread looks at the mark when it is woken.
    func cancel() {
        cancelled.store(true, ordering: .relaxed)
    }

    /// Sets the task that waits.
    func begin(_ continuation: CheckedContinuation<Outcome, Never>) {
        self.continuation.withLock { $0 = continuation }
    }

    /// Resumes the waiting task; only the first call does.
    func finish(_ outcome: Outcome) {
        continuation.withLock { $0.take() }?.resume(returning: outcome)
    }
}
