/// Queries to upstreams that are to be sent: together, with one system call for each socket that some share, once the
/// loop has handled everything that has come in.
final class UpstreamOutbox: EventTarget {
    /// Queries sent at once.
    static let capacity = 64

    private unowned let forwarder: Forwarder
    private let loop: EventLoop
    private var attempts: [UpstreamAttempt] = []
    private let buffers = DatagramBuffers(capacity: capacity, octets: UpstreamQuery.maximumByteCount)

    init(forwarder: Forwarder, loop: EventLoop) {
        self.forwarder = forwarder
        self.loop = loop
        attempts.reserveCapacity(Self.capacity)
    }

    /// Has an attempt's query sent by its socket.
    func add(_ attempt: UpstreamAttempt) {
        if attempts.count == Self.capacity { send() }
        if attempts.isEmpty { activate(on: loop) }
        let query = attempt.expectation.query
        buffers.write(attempts.count) { $0.append(octets: query.rawSpan) }
        attempts.append(attempt)
    }

    /// Sends what there is.
    func send() {
        var failed: [UpstreamAttempt] = []
        var start = 0
        while start < attempts.count {
            let socket = attempts[start].socket
            var end = start + 1
            while end < attempts.count, attempts[end].socket === socket { end += 1 }
            // Without a socket nobody waits for the answer any longer.
            if let number = socket?.number {
                buffers.send(start..<end, by: number) { failed.append(attempts[$0]) }
            }
            start = end
        }
        attempts.removeAll(keepingCapacity: true)
        forwarder.sockets.endRun()
        if !failed.isEmpty { forwarder.unreachable(failed) }
    }

    override func fire() {
        send()
    }
}
