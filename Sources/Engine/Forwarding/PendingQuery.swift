/// One question that upstreams are asked, for all clients of a worker that wait for its answer.
///
/// There is one for each miss: with 120 octets or less malloc has memory for it at hand. So has it for an exchange.
final class PendingQuery {
    let key: CacheKey
    let upstreams: UpstreamSet
    var clients: [WaitingClient] = []
    private unowned let forwarder: Forwarder
    /// The first of the exchanges that are under way: a list, which is seldom longer than one.
    private var exchanges: UpstreamExchange?
    /// What becomes of it.
    var resolution: Resolution
    /// For the time when something is to be done if nothing has come; `nil`: nothing is.
    var ticket: DeadlineWheel<Forwarder.Call>.Ticket?

    init(key: CacheKey, upstreams: UpstreamSet, deadline: MonotonicTime, forwarder: Forwarder) {
        self.key = key
        self.upstreams = upstreams
        self.forwarder = forwarder
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

    /// Lets go of an exchange, which has ended.
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

    /// No client needs the answers that are still to come.
    func noteUnwanted() {
        var exchange = exchanges
        while let some = exchange {
            some.isWanted = false
            exchange = some.next
        }
    }

    /// Waits for nothing any longer.
    func stopAll(now: MonotonicTime) {
        while let exchange = exchanges {
            exchange.stop(now: now)
            remove(exchange)
        }
    }
}

extension PendingQuery: ExchangeOwner {
    func received(_ message: RawSpan, _ exchange: UpstreamExchange, _ form: UpstreamResponse.Form) {
        forwarder.received(message, exchange, form, for: self)
    }

    func postponed(_ message: [UInt8], _ exchange: UpstreamExchange, by delay: Nanoseconds) {
        forwarder.postponed(message, exchange, by: delay, for: self)
    }

    func refused(_ exchange: UpstreamExchange) {
        forwarder.refused(exchange, for: self)
    }

    func ended(_ exchange: UpstreamExchange, _ end: ExchangeEnd) {
        forwarder.ended(exchange, end, for: self)
    }
}
