/// Asks an upstream whether it leads back to this server, see ``LoopCheck``.
final class LoopProbe: ExchangeOwner {
    /// How long an answer is waited for.
    static let patience = Nanoseconds.seconds(1)

    private let upstream: Upstream
    private var exchange: UpstreamExchange?

    /// - Parameter upstream: one that is not being asked.
    init(_ upstream: Upstream) {
        self.upstream = upstream
    }

    /// Sends the query for a number's name: as plain as can be, for any server to understand.
    func send(_ number: UInt64, by transport: UpstreamTransport, now: MonotonicTime, _ random: inout SystemRandom) {
        let name = CacheKey(name: LoopName.make(number).rawSpan, type: .txt, variant: [])
        let request = UpstreamTransport.Request(
            upstream: upstream, key: name, form: UpstreamQuery.Form(usesEDNS: false, mixesCase: false), owner: self,
            number: 0, deadline: now + Self.patience)
        exchange = transport.send(request, now: now, &random)
        if exchange == nil { upstream.endLoopCheck(isAnswered: false) }
    }

    /// Waits no longer.
    func end(isAnswered: Bool = false) {
        guard let exchange = exchange.take() else { return }
        exchange.stop(now: .now)
        upstream.endLoopCheck(isAnswered: isAnswered)
    }

    func received(_ message: RawSpan, _ exchange: UpstreamExchange, _ form: UpstreamResponse.Form) {
        // Whatever it says.
        if case .unrelated = UpstreamResponse.read(message, exchange.expectation, form) { return }
        end(isAnswered: true)
    }

    func postponed(_ message: [UInt8], _ exchange: UpstreamExchange, by delay: Nanoseconds) {}

    func refused(_ exchange: UpstreamExchange) {}

    func ended(_ exchange: UpstreamExchange, _ end: ExchangeEnd) {
        self.end()
    }
}

/// Upstreams that lead back here.
extension Forwarder {
    /// Looks whether an upstream leads back, unless that is being done.
    func checkForLoop(_ upstream: Upstream, now: MonotonicTime) {
        let number = random.next()
        guard upstream.beginLoopCheck(number) else { return }
        let probe = LoopProbe(upstream)
        probe.send(number, by: transport, now: now, &random)
        call(.loopProbe(probe), at: now + LoopProbe.patience)
    }

    /// Whether a question is one of our own, which an upstream was asked to see whether it leads back: it does.
    func hasReturned(_ key: CacheKey, now: MonotonicTime) -> Bool {
        guard let number = LoopName.number(of: key.name),
            let upstream = settings.upstreams.upstreams.first(where: { $0.noteReturned(number) })
        else { return false }
        // Until it does so no longer.
        probeIfNeeded(upstream, now: now)
        return true
    }
}
