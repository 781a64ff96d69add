import CEvent

/// A TCP connection to one upstream, for answers that do not fit into a datagram. Queries share it (RFC 7766 §6.2.1);
/// it is closed when nothing was asked for a while.
@safe
final class UpstreamConnection {
    /// How long it stays open without a query under way.
    static let idleTimeout = Duration.seconds(10)
    /// Connections of a worker at most; queries that have no room on them fail.
    static let maximumCount = 16
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
    private var isClosed = false
    private let idleTimer = TimerTarget()
    private let resumeTimer = TimerTarget()

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
            stream, Int16(EV_READ), 0, TCPFraming.prefixBytes + Responder.maximumMessage + 4096)
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
        resumeTimer.action = { [unowned self] in resume() }
        idleTimer.action = { [unowned self] in
            if attempts.isEmpty { self.forwarder.closed(self) }
        }
    }

    /// Whether another query may be sent on it.
    func takes(_ id: UInt16) -> Bool {
        attempts.count < Self.maximumAttempts && !attempts.contains { $0.expectation.id == id }
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
        if attempts.isEmpty { try? idleTimer.schedule(after: Self.idleTimeout, on: loop) }
    }

    fileprivate func readable() {
        while !isClosed {
            let input = unsafe bufferevent_get_input(stream)
            var prefix: UInt16 = 0
            // Unsafe: at most two octets are copied into `prefix`.
            unsafe evbuffer_copyout(input, &prefix, TCPFraming.prefixBytes)
            let step = TCPFraming.next(
                available: unsafe evbuffer_get_length(input), prefix: UInt16(bigEndian: prefix))
            switch step {
            case .incomplete: return
            case .invalid: return ended()
            case .message(let byteCount):
                let now = MonotonicTime.now
                if let delay = forwarder.longAnswers.delay(for: byteCount, now: now) { return pause(for: delay) }
                forwarder.longAnswers.take(byteCount, now: now)
                let frame = TCPFraming.prefixBytes + byteCount
                // Unsafe: evbuffer_pullup makes the first `frame` octets, which are there, lie in a row until they are
                // drained.
                guard let start = unsafe evbuffer_pullup(input, frame) else { return ended() }
                let message = unsafe RawSpan(_unsafeStart: start + TCPFraming.prefixBytes, byteCount: byteCount).array
                unsafe evbuffer_drain(input, frame)
                hasAnswered = true
                let id = message.rawSpan.uint16(at: 0)
                forwarder.received(
                    message.rawSpan, attempts.first { $0.expectation.id == id }, .stream)
            }
        }
    }

    /// Leaves what comes where it is for a while.
    private func pause(for delay: Nanoseconds) {
        unsafe bufferevent_disable(stream, Int16(EV_READ))
        guard (try? resumeTimer.schedule(after: delay.duration, on: loop)) != nil else { return ended() }
    }

    private func resume() {
        unsafe bufferevent_enable(stream, Int16(EV_READ))
        readable()
    }

    fileprivate func ended() {
        forwarder.closed(self)
    }

    /// Closes the socket. By the forwarder alone.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        idleTimer.cancel()
        resumeTimer.cancel()
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
