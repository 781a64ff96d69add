import CEvent

/// A TCP connection to one upstream, for answers that do not fit into a datagram. Several queries share it (RFC 7766
/// §6.2.1). It is closed after a while without queries.
@safe
final class UpstreamConnection {
    /// How long it stays open without a query under way.
    static let idleTimeout = Duration.seconds(10)
    /// The most queries under way on one connection; for more, another one is opened.
    static let maximumExchanges = 128

    let address: SocketAddress
    private unowned let pool: UpstreamConnectionPool
    private let stream: OpaquePointer
    /// It is held because the stream must go before its loop does.
    private let loop: EventLoop
    private(set) var exchanges: [UpstreamExchange] = []
    /// Whether an answer has arrived on it. If it breaks before, the upstream was not reached.
    private(set) var hasAnswered = false
    /// Whether it carries something longer than usual: the answer to a new query would wait behind that.
    private(set) var carriesLongAnswers = false
    /// Whether nothing has arrived on it for so long that most likely nothing will. It takes no more queries then.
    private(set) var isStale = false
    private(set) var lastMessage = MonotonicTime.distantPast
    /// How many messages in a row nobody waited for.
    private var strayCount = 0
    private var isClosed = false
    private let idleTimer = TimerTarget()

    /// - Returns: `nil` if the system gives no socket.
    init?(to address: SocketAddress, pool: UpstreamConnectionPool) {
        self.address = address
        self.pool = pool
        loop = pool.loop
        guard
            let stream = unsafe bufferevent_socket_new(loop.base, -1, Int32(BEV_OPT_CLOSE_ON_FREE.rawValue))
        else { return nil }
        unsafe self.stream = stream
        // Unsafe: the callbacks get this object unretained; its pool holds it until close(), which ends them.
        unsafe bufferevent_setcb(stream, onData, nil, onClose, Unmanaged.passUnretained(self).toOpaque())
        unsafe bufferevent_setwatermark(
            stream, Int16(EV_READ), 0, TCPFraming.prefixBytes + MessageSize.maximum + 4096)
        unsafe bufferevent_enable(stream, Int16(EV_READ | EV_WRITE))
        var storage = sockaddr_storage()
        let length = address.write(to: &storage)
        // Unsafe: `storage` holds an address of `length` octets; libevent copies it.
        let result = unsafe withUnsafeBytes(of: &storage) { bytes in
            unsafe bufferevent_socket_connect(
                stream, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), Int32(length))
        }
        guard result == 0 else {
            close()
            return nil
        }
        idleTimer.action = { [unowned self] in
            if exchanges.isEmpty { ended() }
        }
    }

    /// Whether another query may be sent on it.
    func takes(_ id: UInt16) -> Bool {
        !isStale && exchanges.count < Self.maximumExchanges && !exchanges.contains { $0.id == id }
    }

    /// Sends a query.
    func send(_ exchange: UpstreamExchange) {
        let message = exchange.expectation.query
        exchanges.append(exchange)
        exchange.wait(at: self)
        var framed: [UInt8] = []
        framed.append(bigEndian: UInt16(truncatingIfNeeded: message.count))
        framed += message
        // Unsafe: libevent copies the octets.
        unsafe bufferevent_write(stream, framed, framed.count)
    }

    /// Stops waiting for an answer.
    func remove(_ exchange: UpstreamExchange) {
        exchanges.removeAll { $0 === exchange }
        guard exchanges.isEmpty, !isClosed else { return }
        carriesLongAnswers = false
        pool.noteFree()
        try? idleTimer.schedule(after: isStale ? .zero : Self.idleTimeout, on: loop)
    }

    /// Notes that a query waits longer than it should. If nothing has arrived since it was sent, nothing more is
    /// expected on this connection.
    func noteOverdue(_ exchange: UpstreamExchange, now: MonotonicTime) {
        guard !isStale, lastMessage < exchange.sentAt else { return }
        // The query may have waited elsewhere for most of the time: for a connection, or on one that has ended.
        guard now - exchange.sentAt >= UpstreamHealth.maximumHedgeDelay else { return }
        isStale = true
        if !hasAnswered { exchange.upstream.learn { $0.connectionFailed(now: now) } }
    }

    fileprivate func readable() {
        while !isClosed {
            let input = unsafe bufferevent_get_input(stream)
            var start = (length: UInt16(0), id: UInt16(0))
            // Unsafe: at most four octets are copied into `start`.
            let count = unsafe evbuffer_copyout(input, &start, TCPFraming.prefixBytes + 2)
            let length = UInt16(bigEndian: start.length)
            let step = TCPFraming.next(available: unsafe evbuffer_get_length(input), prefix: length)
            if count >= TCPFraming.prefixBytes, length > LongAnswerBudget.usualByteCount, !exchanges.isEmpty {
                carriesLongAnswers = true
            }
            switch step {
            case .incomplete: return
            case .invalid: return ended()
            case .message(let byteCount): unsafe take(byteCount, id: UInt16(bigEndian: start.id), from: input)
            }
        }
    }

    /// Takes the next message, which has arrived as a whole, off the stream, whoever waits for it: messages behind it
    /// may be short.
    private func take(_ byteCount: Int, id: UInt16, from input: OpaquePointer?) {
        let now = MonotonicTime.now
        let frame = TCPFraming.prefixBytes + byteCount
        lastMessage = now
        guard let exchange = exchanges.first(where: { $0.id == id }) else {
            unsafe evbuffer_drain(input, frame)
            strayCount += 1
            pool.counters.count(.wrongAnswers)
            if strayCount > Self.maximumExchanges { ended() }
            return
        }
        strayCount = 0
        hasAnswered = true
        // Nobody needs this answer any longer, and the one before has shown how the upstream is doing.
        if byteCount > LongAnswerBudget.usualByteCount, !exchange.isWanted {
            unsafe evbuffer_drain(input, frame)
            exchange.stop(now: now)
            return exchange.owner.ended(exchange, .unwanted)
        }
        guard let wait = pool.longAnswers.reserve(byteCount, now: now, deadline: exchange.deadline) else {
            unsafe evbuffer_drain(input, frame)
            exchange.stop(now: now)
            return exchange.owner.ended(exchange, .tooLong)
        }
        // Unsafe: evbuffer_pullup makes the first `frame` octets, which have arrived, contiguous until they are
        // drained.
        guard let start = unsafe evbuffer_pullup(input, frame) else { return ended() }
        let message = unsafe RawSpan(_unsafeStart: start + TCPFraming.prefixBytes, byteCount: byteCount).array
        unsafe evbuffer_drain(input, frame)
        guard wait > .zero else { return exchange.owner.received(message.rawSpan, on: exchange, as: .stream) }
        exchange.stop(now: now)
        exchange.owner.postponed(message, on: exchange, by: wait)
    }

    fileprivate func ended() {
        pool.ended(self)
    }

    /// Closes the socket. Only the pool calls this.
    ///
    /// - Returns: the exchanges that waited for an answer here.
    @discardableResult
    func close() -> [UpstreamExchange] {
        guard !isClosed else { return [] }
        isClosed = true
        idleTimer.cancel()
        unsafe bufferevent_free(stream)
        return exchanges
    }
}

// Unsafe in the callbacks: the object exists, see init. It is retained, because handling the event may end it.

@c private func onData(_ stream: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<UpstreamConnection>.fromOpaque(context).takeUnretainedValue().readable()
}

@c private func onClose(_ stream: OpaquePointer?, _ what: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context, Int32(what) & BEV_EVENT_CONNECTED == 0 else { return }
    unsafe Unmanaged<UpstreamConnection>.fromOpaque(context).takeUnretainedValue().ended()
}
