/// What the client's thread does: takes transfers in, has libcurl do them, tells who waits.
final class TransferLoop {
    private static let maximumPatience = Duration.milliseconds(100)

    private let multi: CurlMulti
    private let inbox: TransferInbox
    private let distrusted: DistrustedOrigins
    private let tls: HTTPClient.TLS
    private var queue: TransferQueue
    /// Handles for the next transfers: no more than connections.
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
            // What was started is to be performed at once. Whoever comes too late for it has waited to the end.
            if startWaiting() { continue }
            endOverdue()
            if !multi.wait(atMost: patience) { endRunning(.libraryFailed) }
        }
    }

    /// Until the first of those that wait is overdue; libcurl knows about those that run. Never long: whatever goes
    /// wrong with waking this thread, no request waits longer for it.
    private var patience: Duration {
        min(
            queue.nextDeadline.map { ContinuousClock.now.duration(to: $0) } ?? Self.maximumPatience,
            Self.maximumPatience)
    }

    /// Starts what may run now.
    ///
    /// - Returns: whether something was started.
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

    /// Frees what a transfer took, and tells who waits for it.
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

    /// Ends a transfer in the middle.
    private func end(_ easy: CurlEasy, _ error: HTTPClientError) {
        multi.remove(easy)
        guard let (transfer, mayHaveBeenSent) = easy.abandon() else { return }
        var error = error
        error.mayHaveBeenSent = mayHaveBeenSent
        settle(easy, transfer, .failure(error))
    }
}

extension Transfer.Outcome {
    /// Whether a request was sent that was not answered in time.
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
