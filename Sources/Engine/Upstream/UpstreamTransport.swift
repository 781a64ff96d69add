/// A worker's transport to upstreams: datagrams from its own sockets, and TCP connections.
final class UpstreamTransport {
    /// A query to an upstream, and its owner.
    struct Request {
        var upstream: Upstream
        var key: CacheKey
        var form: UpstreamQuery.Form
        var owner: any ExchangeOwner
        /// The owner's number for it.
        var number: UInt8
        /// When its answer becomes useless.
        var deadline: MonotonicTime
    }

    private let counters: WorkerCounters
    private let sockets: UpstreamSocketPool
    private let outbox: UpstreamOutbox
    private let connections: UpstreamConnectionPool

    /// - Parameters:
    ///   - maximumSockets: the most sockets open at once for datagrams.
    ///   - queuedCount: returns how many questions wait to be asked.
    init(loop: EventLoop, counters: WorkerCounters, maximumSockets: Int, queuedCount: @escaping () -> Int) {
        self.counters = counters
        sockets = UpstreamSocketPool(
            loop: loop, counters: counters, maximumCount: maximumSockets, queuedCount: queuedCount)
        outbox = UpstreamOutbox(loop: loop, sockets: sockets)
        connections = UpstreamConnectionPool(loop: loop, counters: counters)
    }

    /// Sends a query over UDP, once the loop has handled what has arrived.
    ///
    /// - Returns: `nil` if there is no socket to be had.
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
    /// - Returns: `nil` if there is no connection to be had.
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
        return UpstreamExchange(request, expecting: expectation, sentAt: now)
    }

    /// Stops sending. Owners stop their exchanges before ``closeAll()``.
    func cancel() {
        outbox.cancel()
    }

    /// Closes everything.
    func closeAll() {
        sockets.closeAll()
        connections.closeAll()
    }
}
