/// Queries to upstreams that are to be sent: together, with one system call for each socket that some share, once the
/// loop has handled what has come in.
final class UpstreamOutbox: EventTarget {
    /// Queries at most that are to be sent.
    static let capacity = 64
    /// System calls at a stretch: waking an upstream's process on an idle core may take some 30 µs, and nobody else has
    /// to wait for all of them.
    private static let callsAtOnce = 2

    private let loop: EventLoop
    private let sockets: UpstreamSocketPool
    private var exchanges: [UpstreamExchange] = []
    /// The first that is not sent yet.
    private var next = 0
    /// Those that the system did not take, whose owners are to be told: not while they have others sent.
    private var failed: [UpstreamExchange] = []
    /// The places of those that are sent once more.
    private var refused: [Int] = []
    private let buffers = DatagramBuffers(capacity: capacity, octets: UpstreamQuery.maximumByteCount)

    init(loop: EventLoop, sockets: UpstreamSocketPool) {
        self.loop = loop
        self.sockets = sockets
        exchanges.reserveCapacity(Self.capacity)
    }

    /// Has a query sent by its exchange's socket.
    func add(_ exchange: UpstreamExchange) {
        while exchanges.count == Self.capacity { sendSome() }
        if exchanges.isEmpty { activate(on: loop) }
        let query = exchange.expectation.query
        buffers.write(exchanges.count) { $0.append(octets: query.rawSpan) }
        exchanges.append(exchange)
    }

    override func fire() {
        loop.noteWork()
        let stretch = loop.pace.isSaturated ? Self.capacity : Self.callsAtOnce
        for _ in 0..<stretch where next < exchanges.count { sendSome() }
        if !failed.isEmpty { tellFailed() }
        if next < exchanges.count || !failed.isEmpty { activate(on: loop) }
        loop.pace.noteEnd(.now)
    }

    /// Sends what the next socket has.
    private func sendSome() {
        let socket = exchanges[next].socket
        var end = next + 1
        while end < exchanges.count, exchanges[end].socket === socket { end += 1 }
        // Without a socket nobody waits for the answer any longer.
        if let number = socket?.number {
            buffers.send(next..<end, by: number) { refused.append($0) }
            // An error that was told is gone: it may have been about a query before, or somebody's invention.
            for place in refused { buffers.send(place..<(place + 1), by: number) { failed.append(exchanges[$0]) } }
            refused.removeAll(keepingCapacity: true)
        }
        next = end
        if next == exchanges.count {
            exchanges.removeAll(keepingCapacity: true)
            next = 0
        }
        sockets.endRun()
    }

    private func tellFailed() {
        let now = MonotonicTime.now
        let failed = failed
        self.failed = []
        for exchange in failed where exchange.socket != nil {
            exchange.stop(now: now)
            exchange.owner.ended(exchange, .unreachable)
        }
    }
}
