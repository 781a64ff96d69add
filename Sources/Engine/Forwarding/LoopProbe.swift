/// Checks whether an upstream leads back to this server, see ``LoopCheck``.
final class LoopProbe: ExchangeOwner {
    /// How long to wait for an answer.
    static let timeout = Nanoseconds.seconds(1)

    private let upstream: Upstream
    private var exchange: UpstreamExchange?

    /// - Parameter upstream: one that is not being checked.
    init(_ upstream: Upstream) {
        self.upstream = upstream
    }

    /// Sends the query for a number's name, in the plainest form, which any server understands.
    func send(_ number: UInt64, by transport: UpstreamTransport, now: MonotonicTime, _ random: inout SystemRandom) {
        let name = CacheKey(name: LoopName.make(number).rawSpan, type: .txt, variant: [])
        let request = UpstreamTransport.Request(
            upstream: upstream, key: name, form: UpstreamQuery.Form(usesEDNS: false, mixesCase: false), owner: self,
            number: 0, deadline: now + Self.timeout)
        exchange = transport.send(request, now: now, &random)
        if exchange == nil { upstream.endLoopCheck(isAnswered: false) }
    }

    /// Stops waiting.
    func end(isAnswered: Bool = false) {
        guard let exchange = exchange.take() else { return }
        exchange.stop(now: .now)
        upstream.endLoopCheck(isAnswered: isAnswered)
    }

    func received(_ message: RawSpan, on exchange: UpstreamExchange, as delivery: UpstreamResponse.Delivery) {
        // Any answer will do.
        if case .unrelated = UpstreamResponse.read(message, exchange.expectation, delivery) { return }
        end(isAnswered: true)
    }

    func postponed(_ message: [UInt8], on exchange: UpstreamExchange, by delay: Nanoseconds) {}

    func refused(_ exchange: UpstreamExchange) {}

    func ended(_ exchange: UpstreamExchange, _ end: ExchangeEnd) {
        self.end()
    }
}

/// Checks for upstreams that lead back here.
extension Forwarder {
    /// Checks whether an upstream leads back, unless that is being done.
    func checkForLoop(_ upstream: Upstream, now: MonotonicTime) {
        let number = random.next()
        guard upstream.beginLoopCheck(number) else { return }
        let probe = LoopProbe(upstream)
        probe.send(number, by: transport, now: now, &random)
        call(.loopProbe(probe), at: now + LoopProbe.timeout)
    }

    /// Whether a question is one of our own loop checks, which shows that an upstream leads back.
    func hasReturned(_ key: CacheKey, now: MonotonicTime) -> Bool {
        guard let number = LoopName.number(of: key.name),
            let upstream = settings.upstreams.upstreams.first(where: { $0.noteReturned(number) })
        else { return false }
        // From now on until it no longer does.
        probeIfNeeded(upstream, now: now)
        return true
    }
}
