/// A worker's TCP connections to upstreams.
final class UpstreamConnectionPool {
    /// Connections of a worker at most; queries that have no room on them fail.
    static let maximumCount = 16
    /// Connections at most to one upstream, so that there are some left for others.
    static let maximumPerUpstream = 8

    let loop: EventLoop
    let counters: WorkerCounters
    /// What is read of long answers, on all of them together.
    var longAnswers = LongAnswerBudget()
    private var connections: [UpstreamConnection] = []

    init(loop: EventLoop, counters: WorkerCounters) {
        self.loop = loop
        self.counters = counters
    }

    /// The connection with the least to do, and none that carries long answers: others would have to wait behind them.
    ///
    /// - Parameters:
    ///   - id: of the query.
    ///   - mayOpen: whether a new one is worth trying.
    /// - Returns: `nil` when there is none to be had.
    func connection(to address: SocketAddress, id: UInt16, mayOpen: Bool) -> UpstreamConnection? {
        let open = connections.filter { $0.address == address }
        let fit = open.filter { $0.takes(id) }
        if let short = fit.first(where: { !$0.carriesLongAnswers }) { return short }
        guard mayOpen, open.count < Self.maximumPerUpstream, connections.count < Self.maximumCount,
            let opened = UpstreamConnection(to: address, pool: self)
        else { return fit.min { $0.exchanges.count < $1.exchanges.count } }
        connections.append(opened)
        return opened
    }

    /// A connection has ended, or is not wanted any longer.
    func ended(_ connection: UpstreamConnection) {
        let now = MonotonicTime.now
        connections.removeAll { $0 === connection }
        let exchanges = connection.close()
        if !connection.hasAnswered, !connection.isStale, let exchange = exchanges.first {
            exchange.upstream.learn { $0.connectionFailed(now: now) }
        }
        for exchange in exchanges where exchange.connection === connection {
            exchange.leave()
            exchange.owner.ended(exchange, .connectionEnded(hasAnswered: connection.hasAnswered))
        }
    }

    /// Closes all.
    func closeAll() {
        for connection in connections { connection.close() }
        connections = []
    }
}
