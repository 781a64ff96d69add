/// A worker's ways to upstreams: datagrams from sockets of its own, and connections.
final class UpstreamTransport {
    /// What a query to an upstream asks for, and for whom.
    struct Request {
        var upstream: Upstream
        var key: CacheKey
        var form: UpstreamQuery.Form
        var owner: any ExchangeOwner
        /// The owner's number for it.
        var number: UInt8
        /// When its answer is of no use any longer.
        var deadline: MonotonicTime
    }

    private let counters: WorkerCounters
    private let sockets: UpstreamSocketPool
    private let outbox: UpstreamOutbox
    private let connections: UpstreamConnectionPool

    /// - Parameters:
    ///   - maximumSockets: open at once for datagrams.
    ///   - queuedCount: how many questions wait to be asked.
    init(loop: EventLoop, counters: WorkerCounters, maximumSockets: Int, queuedCount: @escaping () -> Int) {
        self.counters = counters
        sockets = UpstreamSocketPool(
            loop: loop, counters: counters, maximumCount: maximumSockets, queuedCount: queuedCount)
        outbox = UpstreamOutbox(loop: loop, sockets: sockets)
        connections = UpstreamConnectionPool(loop: loop, counters: counters)
    }

    /// Has a query sent over UDP, once the loop has handled what has come in.
    ///
    /// - Returns: `nil` when there is no socket to be had.
    func send(_ request: consuming Request, now: MonotonicTime, _ random: inout SystemRandom) -> UpstreamExchange? {
        guard let socket = sockets.socket(to: request.upstream.address, now: now, &random) else { return nil }
        var id = UInt16(truncatingIfNeeded: random.next())
        while !socket.isFree(id) { id = UInt16(truncatingIfNeeded: random.next()) }
        let exchange = begin(request, id: id, now: now, &random)
        socket.add(exchange)
        outbox.add(exchange)
        return exchange
    }

    /// Sends a query over TCP, at once or when a connection is free.
    ///
    /// - Returns: `nil` when there is no connection to be had.
    func sendOverTCP(_ request: consuming Request, now: MonotonicTime, _ random: inout SystemRandom)
        -> UpstreamExchange?
    {
        let id = UInt16(truncatingIfNeeded: random.next())
        guard let place = connections.place(for: request.upstream, id: id, now: now) else { return nil }
        let exchange = begin(request, id: id, now: now, &random)
        counters.count(.upstreamTCPQueries)
        connections.send(exchange, by: place)
        return exchange
    }

    private func begin(
        _ request: consuming Request, id: UInt16, now: MonotonicTime, _ random: inout SystemRandom
    ) -> UpstreamExchange {
        request.upstream.asking()
        let (key, form) = (request.key, request.form)
        let expectation = UpstreamResponse.Expectation(
            id: id, query: UpstreamQuery.make(id: id, key: key, form, &random), key: key, checksCase: form.mixesCase,
            usesEDNS: form.usesEDNS)
        return UpstreamExchange(
            request.upstream, expectation, owner: request.owner, number: request.number, sentAt: now,
            deadline: request.deadline)
    }

    /// Sends nothing any longer. Exchanges are stopped by their owners before ``closeAll()``.
    func cancel() {
        outbox.cancel()
    }

    /// Closes everything.
    func closeAll() {
        sockets.closeAll()
        connections.closeAll()
    }
}
