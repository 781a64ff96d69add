/// Queries to upstreams that are to be sent: together, with one system call for each socket that some share, once the
/// loop has handled what has come in.
final class UpstreamOutbox: EventTarget {
    /// Queries at most that are to be sent.
    static let capacity = 64
    /// System calls at a stretch: waking an upstream's process on an idle core may take some 30 µs, and nobody else has
    /// to wait for all of them.
    private static let callsAtOnce = 2

    private unowned let forwarder: Forwarder
    private let loop: EventLoop
    private var attempts: [UpstreamAttempt] = []
    /// The first that is not sent yet.
    private var next = 0
    private let buffers = DatagramBuffers(capacity: capacity, octets: UpstreamQuery.maximumByteCount)

    init(forwarder: Forwarder, loop: EventLoop) {
        self.forwarder = forwarder
        self.loop = loop
        attempts.reserveCapacity(Self.capacity)
    }

    /// Has an attempt's query sent by its socket.
    func add(_ attempt: UpstreamAttempt) {
        while attempts.count == Self.capacity { sendSome() }
        if attempts.isEmpty { activate(on: loop) }
        let query = attempt.expectation.query
        buffers.write(attempts.count) { $0.append(octets: query.rawSpan) }
        attempts.append(attempt)
    }

    override func fire() {
        loop.noteWork()
        let stretch = loop.pace.isSaturated ? Self.capacity : Self.callsAtOnce
        for _ in 0..<stretch where next < attempts.count { sendSome() }
        if next < attempts.count { activate(on: loop) }
        loop.pace.noteEnd(.now)
    }

    /// Sends what the next socket has.
    private func sendSome() {
        var failed: [UpstreamAttempt] = []
        let socket = attempts[next].socket
        var end = next + 1
        while end < attempts.count, attempts[end].socket === socket { end += 1 }
        // Without a socket nobody waits for the answer any longer.
        if let number = socket?.number { buffers.send(next..<end, by: number) { failed.append(attempts[$0]) } }
        next = end
        if next == attempts.count {
            attempts.removeAll(keepingCapacity: true)
            next = 0
        }
        forwarder.sockets.endRun()
        if !failed.isEmpty { forwarder.unreachable(failed) }
    }
}
