/// The owner of exchanges with upstreams, which is told what comes back.
///
/// It is always told from the loop, and never from within a call to ``UpstreamTransport`` or to an exchange. So an
/// owner completes what it is doing before it hears of anything.
protocol ExchangeOwner: AnyObject {
    /// A message has arrived. It may not be the answer, so the exchange goes on until it is stopped.
    func received(_ message: RawSpan, on exchange: UpstreamExchange, as delivery: UpstreamResponse.Delivery)

    /// A long answer has arrived over TCP, and is to be read after `delay`. The exchange no longer waits at a
    /// connection.
    func postponed(_ message: [UInt8], on exchange: UpstreamExchange, by delay: Nanoseconds)

    /// The system was told that nobody listens at the upstream, or that there is no route to it. Anybody may have sent
    /// that (RFC 5927), so the exchange goes on. An owner is told only once.
    func refused(_ exchange: UpstreamExchange)

    /// The exchange has ended.
    func ended(_ exchange: UpstreamExchange, _ end: ExchangeEnd)
}

/// One query to one upstream, from sending it until its answer has arrived or is no longer waited for.
///
/// Up to 120 octets malloc has memory ready.
final class UpstreamExchange {
    let upstream: Upstream
    /// The owner. It is held until it lets go of the exchange.
    let owner: any ExchangeOwner
    private(set) var sentAt: MonotonicTime
    /// When its answer becomes useless.
    let deadline: MonotonicTime
    /// The socket on which its answer arrives; `nil`: it is sent over TCP, or no longer waited for.
    private(set) var socket: UpstreamSocket?
    /// The connection on which its answer arrives; `nil`: it is sent over UDP, or its answer has arrived, or it is no
    /// longer waited for.
    private(set) var connection: UpstreamConnection?
    /// The owner's next exchange: a list of them needs no memory of its own.
    var next: UpstreamExchange?
    let expectation: UpstreamResponse.Expectation
    /// The owner's number for it.
    let number: UInt8
    /// Whether its answer is needed, or only shows how the upstream is doing.
    var isWanted = true
    /// Whether it waits for a connection.
    private(set) var isQueued = false
    /// Whether its owner was told that nobody seems to be there.
    var isRefused = false

    init(
        _ request: UpstreamTransport.Request, expecting expectation: UpstreamResponse.Expectation,
        sentAt: MonotonicTime
    ) {
        upstream = request.upstream
        owner = request.owner
        number = request.number
        deadline = request.deadline
        self.expectation = expectation
        self.sentAt = sentAt
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

    /// Leaves the queue, because it is about to be sent.
    func leave(at now: MonotonicTime) {
        leave()
        sentAt = now
    }
}
