/// What exchanges with upstreams are for: told what comes back.
///
/// Always from the loop, and never from within a call to ``UpstreamTransport`` or to an exchange: what an owner is
/// about to do is done before it hears of anything.
protocol ExchangeOwner: AnyObject {
    /// A message has come. The exchange goes on until it is stopped: this may not be the answer.
    func received(_ message: RawSpan, _ exchange: UpstreamExchange, _ form: UpstreamResponse.Form)

    /// A long answer has come over TCP, to be read after so long. The exchange waits at no connection any longer.
    func postponed(_ message: [UInt8], _ exchange: UpstreamExchange, by delay: Nanoseconds)

    /// The system has been told that nobody listens at the upstream, or that there is no way to it. Anybody may have
    /// sent that (RFC 5927): the exchange goes on. Told once.
    func refused(_ exchange: UpstreamExchange)

    /// The exchange has ended.
    func ended(_ exchange: UpstreamExchange, _ end: ExchangeEnd)
}

/// One query to one upstream, from when it is sent until its answer has come or is waited for no longer.
///
/// With 120 octets or less malloc has memory for it at hand.
final class UpstreamExchange {
    let upstream: Upstream
    /// What it is for. Held until the owner lets go of the exchange.
    let owner: any ExchangeOwner
    private(set) var sentAt: MonotonicTime
    /// When its answer is of no use any longer.
    let deadline: MonotonicTime
    /// Where its answer comes in; `nil`: over TCP, or it is waited for no longer.
    private(set) var socket: UpstreamSocket?
    /// Where its answer comes in; `nil`: over UDP, or it has come, or it is waited for no longer.
    private(set) var connection: UpstreamConnection?
    /// The owner's next one: a list of them needs no memory of its own.
    var next: UpstreamExchange?
    let expectation: UpstreamResponse.Expectation
    /// The owner's number for it.
    let number: UInt8
    /// Whether its answer is of use, or only shows how the upstream does.
    var isWanted = true
    /// Whether it waits for a connection.
    private(set) var isQueued = false
    /// Whether its owner was told that nobody seems to be there.
    var isRefused = false

    init(
        _ upstream: Upstream, _ expectation: UpstreamResponse.Expectation, owner: any ExchangeOwner, number: UInt8,
        sentAt: MonotonicTime, deadline: MonotonicTime
    ) {
        self.upstream = upstream
        self.expectation = expectation
        self.owner = owner
        self.number = number
        self.sentAt = sentAt
        self.deadline = deadline
    }

    var id: UInt16 { expectation.id }

    /// Stops waiting for its answer.
    func stop(now: MonotonicTime) {
        socket?.remove(self, now: now)
        connection?.remove(self)
        leave()
    }

    // MARK: For sockets and connections

    func wait(at socket: UpstreamSocket) {
        self.socket = socket
    }

    func wait(at connection: UpstreamConnection) {
        self.connection = connection
    }

    func waitForConnection() {
        isQueued = true
    }

    func leave() {
        socket = nil
        connection = nil
        isQueued = false
    }

    /// It is about to be sent.
    func leave(at now: MonotonicTime) {
        leave()
        sentAt = now
    }
}
