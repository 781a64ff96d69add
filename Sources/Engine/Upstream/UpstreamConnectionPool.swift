/// A worker's TCP connections to upstreams.
final class UpstreamConnectionPool {
    /// The most connections of a worker; queries that have no room on them fail.
    static let maximumCount = 16
    /// The most connections to one upstream, so that some are left for others.
    static let maximumPerUpstream = 8
    /// The most queries that may wait for a connection.
    static let maximumQueued = 1024

    let loop: EventLoop
    let counters: WorkerCounters
    /// The budget for long answers, on all connections together.
    var longAnswers = LongAnswerBudget()
    private var connections: [UpstreamConnection] = []
    /// Queries that wait for a connection, in their order: their upstreams answer one at a time on each. Some may not
    /// be waited for any longer.
    private var queue: [UpstreamExchange] = []
    private let queueTarget = TimerTarget()

    init(loop: EventLoop, counters: WorkerCounters) {
        self.loop = loop
        self.counters = counters
        queueTarget.action = { [unowned self] in sendQueued() }
    }

    // MARK: Sending

    /// The place where a query goes.
    enum Place {
        case connection(UpstreamConnection)
        /// It waits until a connection is free.
        case queue
    }

    /// Finds a place for a query: a connection that carries no long answers, for the query would have to wait behind
    /// them; otherwise a new one; otherwise the one with the least to do.
    ///
    /// - Parameter id: the query's ID.
    /// - Returns: `nil` if there is none to be had.
    func place(for upstream: Upstream, id: UInt16, now: MonotonicTime) -> Place? {
        let features = upstream.features
        let sharesConnections = features.takesPipelining(at: now)
        let open = connections.filter { $0.address == upstream.address }
        let fit = open.filter { $0.takes(id) && (sharesConnections || $0.exchanges.isEmpty) }
        if let short = fit.first(where: { !$0.carriesLongAnswers }) { return .connection(short) }
        if features.takesConnections(at: now), open.count < Self.maximumPerUpstream,
            connections.count < Self.maximumCount,
            let opened = UpstreamConnection(to: upstream.address, pool: self)
        {
            connections.append(opened)
            return .connection(opened)
        }
        if let least = fit.min(by: { $0.exchanges.count < $1.exchanges.count }) { return .connection(least) }
        // One of the open connections will become free, or end.
        guard !sharesConnections, !open.isEmpty else { return nil }
        if queue.count >= Self.maximumQueued { queue.removeAll { !$0.isQueued || !$0.isWanted } }
        return queue.count < Self.maximumQueued ? .queue : nil
    }

    /// Sends a query, or lets it wait.
    func send(_ exchange: UpstreamExchange, by place: Place) {
        switch place {
        case .connection(let connection): connection.send(exchange)
        case .queue:
            queue.append(exchange)
            exchange.waitForConnection()
        }
    }

    /// Notes that a connection has nothing to do, or has ended. The queries that wait for one get their turn once the
    /// loop has seen whether the upstream has closed it.
    func noteFree() {
        if !queue.isEmpty { try? queueTarget.schedule(after: .zero, on: loop) }
    }

    private func sendQueued() {
        let now = MonotonicTime.now
        loop.noteWork(now: now)
        let waiting = queue
        queue = []
        var full: Set<SocketAddress> = []
        var failed: [UpstreamExchange] = []
        for exchange in waiting where exchange.isQueued && exchange.isWanted {
            let address = exchange.upstream.address
            guard !full.contains(address) else {
                queue.append(exchange)
                continue
            }
            switch place(for: exchange.upstream, id: exchange.id, now: now) {
            case .connection(let connection):
                exchange.leave(at: now)
                connection.send(exchange)
            case .queue:
                full.insert(address)
                queue.append(exchange)
            case nil: failed.append(exchange)
            }
        }
        // An owner that is told may stop other exchanges.
        for exchange in failed where exchange.isQueued {
            exchange.leave()
            exchange.owner.ended(exchange, .connectionEnded(hasAnswered: false))
        }
    }

    // MARK: The end

    /// Removes a connection that has ended, or is not needed any longer.
    func ended(_ connection: UpstreamConnection) {
        let now = MonotonicTime.now
        connections.removeAll { $0 === connection }
        let exchanges = connection.close()
        if !connection.hasAnswered, !connection.isStale, let exchange = exchanges.first {
            exchange.upstream.learn { $0.connectionFailed(now: now) }
        }
        // A query that was sent after the last answer may just have missed the end of an idle connection, so it does
        // not count.
        if connection.hasAnswered, let early = exchanges.first(where: { $0.sentAt < connection.lastMessage }) {
            early.upstream.learn { $0.endedEarly(now: now) }
        }
        noteFree()
        for exchange in exchanges where exchange.connection === connection {
            exchange.leave()
            exchange.owner.ended(exchange, .connectionEnded(hasAnswered: connection.hasAnswered))
        }
    }

    /// Closes all connections.
    func closeAll() {
        queueTarget.cancel()
        queue = []
        for connection in connections { connection.close() }
        connections = []
    }
}
