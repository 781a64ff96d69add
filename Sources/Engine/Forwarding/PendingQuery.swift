/// One question to upstreams, for all clients of a worker that wait for its answer.
///
/// There is one for each miss, so it should have at most 120 octets, for which malloc has memory ready. The same holds
/// for an exchange.
final class PendingQuery {
    let key: CacheKey
    let upstreams: UpstreamSet
    var clients: [WaitingClient] = []
    private unowned let forwarder: Forwarder
    /// The first of the exchanges under way: a list, which seldom has more than one element.
    private var exchanges: UpstreamExchange?
    /// Decides how it continues.
    var resolution: Resolution
    /// For the time at which to act if nothing has arrived; `nil`: none is set.
    var ticket: DeadlineWheel<Forwarder.Call>.Ticket?
    /// The number of the network of the client that asked first; 0: no client did.
    let network: UInt32

    init(key: CacheKey, upstreams: UpstreamSet, deadline: MonotonicTime, network: UInt32, forwarder: Forwarder) {
        self.key = key
        self.upstreams = upstreams
        self.forwarder = forwarder
        self.network = network
        resolution = Resolution(type: key.type, variant: key.variant, deadline: deadline)
    }

    // MARK: Exchanges

    /// The exchange of an attempt; `nil`: it is not under way.
    func exchange(_ number: UInt8) -> UpstreamExchange? {
        var exchange = exchanges
        while let some = exchange, some.number != number { exchange = some.next }
        return exchange
    }

    func add(_ exchange: UpstreamExchange) {
        exchange.next = exchanges
        exchanges = exchange
    }

    /// Removes an exchange that has ended.
    func remove(_ exchange: UpstreamExchange) {
        if exchanges === exchange {
            exchanges = exchange.next
        } else {
            var before = exchanges
            while let some = before, some.next !== exchange { before = some.next }
            before?.next = exchange.next
        }
        exchange.next = nil
    }

    /// Notes that no client needs the remaining answers.
    func noteUnwanted() {
        var exchange = exchanges
        while let some = exchange {
            some.isWanted = false
            exchange = some.next
        }
    }

    /// Stops waiting for anything.
    func stopAll(now: MonotonicTime) {
        while let exchange = exchanges {
            exchange.stop(now: now)
            remove(exchange)
        }
    }
}

extension PendingQuery: ExchangeOwner {
    func received(_ message: RawSpan, on exchange: UpstreamExchange, as delivery: UpstreamResponse.Delivery) {
        forwarder.received(message, on: exchange, as: delivery, for: self)
    }

    func postponed(_ message: [UInt8], on exchange: UpstreamExchange, by delay: Nanoseconds) {
        forwarder.postponed(message, on: exchange, by: delay, for: self)
    }

    func refused(_ exchange: UpstreamExchange) {
        forwarder.refused(exchange, for: self)
    }

    func ended(_ exchange: UpstreamExchange, _ end: ExchangeEnd) {
        forwarder.ended(exchange, end, for: self)
    }
}
