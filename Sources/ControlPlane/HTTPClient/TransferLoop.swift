/// The loop of the client's thread: it takes transfers, lets libcurl do them, and resumes the waiting tasks.
final class TransferLoop {
    private static let maximumPatience = Duration.milliseconds(100)

    private let multi: CurlMulti
    private let inbox: TransferInbox
    private let distrusted: DistrustedOrigins
    private let tls: HTTPClient.TLS
    private var queue: TransferQueue
    /// Idle handles for the next transfers; at most as many as connections.
    private var idle: [CurlEasy] = []

    init(
        multi: CurlMulti, inbox: TransferInbox, distrusted: DistrustedOrigins, tls: HTTPClient.TLS,
        limits: HTTPClient.Limits
    ) {
        self.multi = multi
        self.inbox = inbox
        self.distrusted = distrusted
        self.tls = tls
        queue = TransferQueue(
            maximumRunning: limits.maximumConnections, maximumRunningPerOrigin: limits.maximumConnectionsPerHost)
    }

    /// Works until the inbox is closed.
    func run() {
        while true {
            let work = inbox.take()
            for transfer in work.added { queue.append(transfer) }
            if work.isClosed { return endAll(.shutDown) }
            if work.hasCancelled { endCancelled() }
            if !multi.perform() { endRunning(.libraryFailed) }
            while let (easy, code) = multi.nextFinished() {
                if let (transfer, outcome) = easy.finish(code) {
                    if outcome.isSentAndOverdue { distrusted.insert(transfer.origin) }
                    settle(easy, transfer, outcome)
                }
            }
            // Perform what was started at once. End overdue transfers only after all that could start have started.
            if startWaiting() { continue }
            endOverdue()
            if !multi.wait(atMost: patience) { endRunning(.libraryFailed) }
        }
    }

    /// The time until the first waiting transfer is overdue; libcurl knows the deadlines of those that run. It is
    /// short, so that no request waits long if waking this thread should ever fail.
    private var patience: Duration {
        min(
            queue.nextDeadline.map { ContinuousClock.now.duration(to: $0) } ?? Self.maximumPatience,
            Self.maximumPatience)
    }

    /// Starts the transfers that may run now.
    ///
    /// - Returns: whether any was started.
    private func startWaiting() -> Bool {
        var hasStarted = false
        while let transfer = queue.next() {
            do throws(HTTPClientError) {
                try start(transfer)
                hasStarted = true
            } catch {
                queue.release(transfer)
                inbox.finish(transfer, .failure(error))
            }
        }
        return hasStarted
    }

    private func start(_ transfer: Transfer) throws(HTTPClientError) {
        let easy: CurlEasy
        if let last = idle.popLast() { easy = last } else { easy = try CurlEasy(tls: tls) }
        try easy.begin(
            transfer, timeout: transfer.deadline.map { ContinuousClock.now.duration(to: $0) },
            distrustedFor: distrusted.age(transfer.origin))
        if !multi.add(easy) { throw .libraryFailed }
    }

    /// Frees the resources of a transfer, and resumes the task that waits for it.
    private func settle(_ easy: CurlEasy, _ transfer: Transfer, _ outcome: Transfer.Outcome) {
        idle.append(easy)
        queue.release(transfer)
        inbox.finish(transfer, outcome)
    }

    private func endCancelled() {
        for transfer in queue.removeWaiting(where: \.isCancelled) {
            inbox.finish(transfer, .failure(.taskCancelled(mayHaveBeenSent: false)))
        }
        for easy in multi.running where easy.transfer?.isCancelled == true {
            end(easy, .taskCancelled(mayHaveBeenSent: true))
        }
    }

    private func endOverdue() {
        guard let deadline = queue.nextDeadline, deadline <= .now else { return }
        let now = ContinuousClock.now
        for transfer in queue.removeWaiting(where: { $0.deadline.map { $0 <= now } ?? false }) {
            inbox.finish(transfer, .failure(.noConnectionInTime))
        }
    }

    private func endAll(_ error: HTTPClientError) {
        for transfer in queue.removeWaiting(where: { _ in true }) { inbox.finish(transfer, .failure(error)) }
        endRunning(error)
    }

    private func endRunning(_ error: HTTPClientError) {
        for easy in multi.running { end(easy, error) }
    }

    /// Ends a transfer that is under way.
    private func end(_ easy: CurlEasy, _ error: HTTPClientError) {
        multi.remove(easy)
        guard let (transfer, mayHaveBeenSent) = easy.abandon() else { return }
        var error = error
        error.mayHaveBeenSent = mayHaveBeenSent
        settle(easy, transfer, .failure(error))
    }
}

extension Transfer.Outcome {
    /// Whether a request was sent but not answered in time.
    fileprivate var isSentAndOverdue: Bool {
        if case .failure(let error) = self { error.kind == .timedOut && error.mayHaveBeenSent } else { false }
    }
}

extension HTTPClientError {
    fileprivate static let libraryFailed = HTTPClientError(
        kind: .other, reason: "libcurl can't go on: no memory", mayHaveBeenSent: false)
    fileprivate static let noConnectionInTime = HTTPClientError(
        kind: .timedOut, reason: "no connection was free in time", mayHaveBeenSent: false)
}
