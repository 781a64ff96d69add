import CEvent

/// A TCP connection to one upstream, for answers that do not fit into a datagram. Queries share it (RFC 7766 §6.2.1);
/// it is closed when nothing was asked for a while.
@safe
final class UpstreamConnection {
    /// How long it stays open without a query under way.
    static let idleTimeout = Duration.seconds(10)
    /// Connections of a worker at most; queries that have no room on them fail.
    static let maximumCount = 16
    /// Connections at most to one upstream, so that there are some left for others.
    static let maximumPerUpstream = 8
    /// Queries under way on one connection; above, another one is opened.
    static let maximumAttempts = 128

    let address: SocketAddress
    private unowned let forwarder: Forwarder
    private let stream: OpaquePointer
    /// Held, for the stream must go before its loop does.
    private let loop: EventLoop
    private(set) var attempts: [UpstreamAttempt] = []
    /// Whether an answer has come on it: one that breaks before has not been reached.
    private(set) var hasAnswered = false
    /// Whether it has something longer than usual to carry: what is asked on it now would wait behind that.
    private(set) var carriesLongAnswers = false
    /// Whether nothing has come on it for so long that most likely nothing will: it takes no more queries.
    private(set) var isStale = false
    private var lastMessage = MonotonicTime.distantPast
    /// Messages in a row that nobody waited for.
    private var strayCount = 0
    private var isClosed = false
    private let idleTimer = TimerTarget()

    /// - Returns: `nil` when the system gives no socket.
    init?(to address: SocketAddress, forwarder: Forwarder, loop: EventLoop) {
        self.address = address
        self.forwarder = forwarder
        self.loop = loop
        guard
            let stream = unsafe bufferevent_socket_new(loop.base, -1, Int32(BEV_OPT_CLOSE_ON_FREE.rawValue))
        else { return nil }
        unsafe self.stream = stream
        // Unsafe: the callbacks get this object unretained; its forwarder holds it until close(), which ends them.
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
            if attempts.isEmpty { self.forwarder.closed(self) }
        }
    }

    /// Whether another query may be sent on it.
    func takes(_ id: UInt16) -> Bool {
        !isStale && attempts.count < Self.maximumAttempts && !attempts.contains { $0.expectation.id == id }
    }

    /// Sends a query.
    func send(_ attempt: UpstreamAttempt) {
        let message = attempt.expectation.query
        attempts.append(attempt)
        var framed: [UInt8] = []
        framed.append(bigEndian: UInt16(truncatingIfNeeded: message.count))
        framed += message
        // Unsafe: libevent copies the octets.
        unsafe bufferevent_write(stream, framed, framed.count)
    }

    /// Waits for an answer no longer.
    func remove(_ attempt: UpstreamAttempt) {
        attempts.removeAll { $0 === attempt }
        guard attempts.isEmpty else { return }
        carriesLongAnswers = false
        try? idleTimer.schedule(after: isStale ? .zero : Self.idleTimeout, on: loop)
    }

    /// A query waits for longer than it should.
    ///
    /// - Returns: whether nothing has ever come on this connection, and that is news.
    func noteOverdue(since sentAt: MonotonicTime) -> Bool {
        guard !isStale, lastMessage < sentAt else { return false }
        isStale = true
        return !hasAnswered
    }

    fileprivate func readable() {
        while !isClosed {
            let input = unsafe bufferevent_get_input(stream)
            var start = (length: UInt16(0), id: UInt16(0))
            // Unsafe: at most four octets are copied into `start`.
            let count = unsafe evbuffer_copyout(input, &start, TCPFraming.prefixBytes + 2)
            let length = UInt16(bigEndian: start.length)
            let step = TCPFraming.next(available: unsafe evbuffer_get_length(input), prefix: length)
            if count >= TCPFraming.prefixBytes, length > LongAnswerBudget.usualByteCount, !attempts.isEmpty {
                carriesLongAnswers = true
            }
            switch step {
            case .incomplete: return
            case .invalid: return ended()
            case .message(let byteCount): unsafe take(byteCount, id: UInt16(bigEndian: start.id), from: input)
            }
        }
    }

    /// Takes the next message, which is there, off the stream, whoever waits for it: what comes behind it may be short.
    private func take(_ byteCount: Int, id: UInt16, from input: OpaquePointer?) {
        let now = MonotonicTime.now
        let frame = TCPFraming.prefixBytes + byteCount
        lastMessage = now
        guard let attempt = attempts.first(where: { $0.expectation.id == id }) else {
            unsafe evbuffer_drain(input, frame)
            strayCount += 1
            forwarder.counters.count(.wrongAnswers)
            if strayCount > Self.maximumAttempts { ended() }
            return
        }
        strayCount = 0
        hasAnswered = true
        let isLong = byteCount > LongAnswerBudget.usualByteCount
        // Nobody needs it any longer, and how the upstream does was learned from the answer before.
        if isLong, attempt.query.isFinished {
            unsafe evbuffer_drain(input, frame)
            return forwarder.drop(attempt, now: now)
        }
        guard let wait = forwarder.longAnswers.reserve(byteCount, now: now, deadline: attempt.query.deadline) else {
            unsafe evbuffer_drain(input, frame)
            return forwarder.refuse(attempt, now: now)
        }
        // Unsafe: evbuffer_pullup makes the first `frame` octets, which are there, lie in a row until they are drained.
        guard let start = unsafe evbuffer_pullup(input, frame) else { return ended() }
        let message = unsafe RawSpan(_unsafeStart: start + TCPFraming.prefixBytes, byteCount: byteCount).array
        unsafe evbuffer_drain(input, frame)
        guard wait > .zero else { return forwarder.received(message.rawSpan, attempt, .stream) }
        attempt.connection = nil
        remove(attempt)
        forwarder.read(message, attempt, after: wait, now: now)
    }

    fileprivate func ended() {
        forwarder.closed(self)
    }

    /// Closes the socket. By the forwarder alone.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        idleTimer.cancel()
        unsafe bufferevent_free(stream)
    }
}

// Unsafe in the callbacks: the object is there, see init; it is retained, for handling may end it.

@c private func onData(_ stream: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<UpstreamConnection>.fromOpaque(context).takeUnretainedValue().readable()
}

@c private func onClose(_ stream: OpaquePointer?, _ what: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context, Int32(what) & BEV_EVENT_CONNECTED == 0 else { return }
    unsafe Unmanaged<UpstreamConnection>.fromOpaque(context).takeUnretainedValue().ended()
}
