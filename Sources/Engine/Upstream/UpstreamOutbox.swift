/// Queries to upstreams that are to be sent. They are sent together once the loop has handled what has arrived, with
/// one system call for queries that share a socket.
final class UpstreamOutbox: EventTarget {
    /// The most queries that wait to be sent.
    static let capacity = 64
    /// The most system calls in a row. Waking an upstream's process on an idle core may take some 30 µs, so nobody else
    /// should have to wait for all calls.
    private static let callsAtOnce = 2

    private let loop: EventLoop
    private let sockets: UpstreamSocketPool
    private var exchanges: [UpstreamExchange] = []
    /// The index of the first query that is not sent yet.
    private var next = 0
    /// Queries that the system did not take. Their owners are told later, not while they are adding further queries.
    private var failed: [UpstreamExchange] = []
    /// The indices of queries that are sent once more.
    private var refused: [Int] = []
    private let buffers = DatagramBuffers(capacity: capacity, octets: UpstreamQuery.maximumByteCount)

    init(loop: EventLoop, sockets: UpstreamSocketPool) {
        self.loop = loop
        self.sockets = sockets
        exchanges.reserveCapacity(Self.capacity)
    }

    /// Adds a query, which its exchange's socket will send.
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

    /// Sends the queries of the next socket.
    private func sendSome() {
        let socket = exchanges[next].socket
        var end = next + 1
        while end < exchanges.count, exchanges[end].socket === socket { end += 1 }
        // If an exchange has no socket, nobody waits for its answer any longer.
        if let number = socket?.number {
            buffers.send(next..<end, by: number) { refused.append($0) }
            // An error is gone once it was reported: it may have been about an earlier query, or forged. So these are
            // sent once more.
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
