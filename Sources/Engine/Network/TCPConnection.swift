import CEvent

/// The connection of one TCP client: a libevent bufferevent, from which complete messages are taken and to which
/// replies are written.
@safe
final class TCPConnection {
    /// The part that other workers may read.
    let activity: TCPActivity
    /// When its last complete query came, or when it connected. A client that only trickles octets counts as idle.
    private(set) var activeSince: ContinuousClock.Instant
    private let stream: OpaquePointer
    private unowned let service: TCPService
    /// Keeps the loop alive, because the stream must be freed before it.
    private let loop: EventLoop
    private var session: TCPSession
    /// Clients whose replies had no room; they are answered again once there is.
    private var postponed: [WaitingClient] = []
    private var state = TCPActivity.State.new
    private var isClosed = false

    /// - Parameter socket: a connected, non-blocking socket, which is closed with this connection.
    /// - Returns: `nil` if memory is short.
    init?(socket: Int32, activity: TCPActivity, service: TCPService, maximumQueries: Int, loop: EventLoop) {
        // Replies are written completely; waiting for more data would only delay them.
        var noDelay: Int32 = 1
        // Unsafe: the kernel reads four octets.
        unsafe setsockopt(
            socket, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
        guard
            let stream = unsafe bufferevent_socket_new(
                loop.base, socket, Int32(BEV_OPT_CLOSE_ON_FREE.rawValue))
        else { return nil }
        unsafe self.stream = stream
        self.activity = activity
        self.service = service
        self.loop = loop
        activeSince = loop.now
        session = TCPSession(maximumQueries: maximumQueries)
        // Unsafe: the callbacks get this object unretained. The service keeps it until close(), which frees the stream
        // and so ends the callbacks.
        unsafe bufferevent_setcb(
            stream, onReady, onReady, onEnd, Unmanaged.passUnretained(self).toOpaque())
        // Buffer one message of any length, and not much more.
        unsafe bufferevent_setwatermark(
            stream, Int16(EV_READ), 0, TCPFraming.prefixBytes + MessageSize.maximum + 4096)
        unsafe bufferevent_enable(stream, Int16(EV_READ | EV_WRITE))
    }

    /// The client's address.
    var client: IPAddress { activity.client }

    /// The octets of replies that have not been sent.
    private var pendingBytes: Int { unsafe evbuffer_get_length(bufferevent_get_output(stream)) }

    /// Whether the client has all its replies, as far as can be known.
    var isFinished: Bool {
        guard pendingBytes == 0, !hasMessage, session.outstanding == 0 else { return false }
        return unsafe !hasUnreadOctets(bufferevent_getfd(stream))
    }

    private var nextStep: TCPFraming.Step {
        let input = unsafe bufferevent_get_input(stream)
        var prefix: UInt16 = 0
        // Unsafe: copies at most two octets to `prefix`.
        unsafe evbuffer_copyout(input, &prefix, TCPFraming.prefixBytes)
        return TCPFraming.next(
            available: unsafe evbuffer_get_length(input), prefix: UInt16(bigEndian: prefix))
    }

    private var hasMessage: Bool {
        if case .message = nextStep { true } else { false }
    }

    /// Answers the queries that have arrived, as far as unsent replies leave room.
    fileprivate func proceed() {
        let before = session.queries
        session.beginTurn()
        while !isClosed, advance() {}
        if !isClosed { noteActivity(isUsed: session.queries != before) }
    }

    /// Takes one step.
    ///
    /// - Returns: whether there is another one to take at once.
    private func advance() -> Bool {
        let step = nextStep
        if step == .invalid { return end() }
        switch session.next(hasMessage: step != .incomplete, pendingBytes: pendingBytes) {
        case .take:
            guard case .message(let byteCount) = step else { return false }
            touch()
            guard answer(byteCount) else { return end() }
            session.answered()
            return true
        case .resume:
            session.resume()
            service.respondAgain(to: postponed.removeFirst())
            return true
        case .pause:
            unsafe bufferevent_disable(stream, Int16(EV_READ))
        case .yield:
            proceedLater()
        case .wait:
            unsafe bufferevent_enable(stream, Int16(EV_READ))
        case .closeWhenSent:
            if pendingBytes == 0 { return end() }
            unsafe bufferevent_disable(stream, Int16(EV_READ))
        }
        return false
    }

    /// Calls ``proceed()`` after others have had their turn.
    private func proceedLater() {
        unsafe bufferevent_trigger(
            stream, Int16(EV_READ),
            Int32(BEV_TRIG_DEFER_CALLBACKS.rawValue | BEV_TRIG_IGNORE_WATERMARKS.rawValue))
    }

    /// Publishes the connection's state for other workers.
    private func noteActivity(isUsed: Bool) {
        let isStalled = !session.hasRoom(pendingBytes: pendingBytes) || !postponed.isEmpty
        let now: TCPActivity.State =
            if isStalled {
                .sending
            } else if hasMessage || isExpectingReply {
                .busy
            } else if pendingBytes > 0 {
                .sending
            } else {
                session.queries == 0 ? .new : .idle
            }
        guard isUsed || now != state else { return }
        state = now
        activity.note(now, now: .now)
    }

    /// Answers the first message.
    ///
    /// - Returns: `false` if memory is short.
    private func answer(_ byteCount: Int) -> Bool {
        let input = unsafe bufferevent_get_input(stream)
        let frame = TCPFraming.prefixBytes + byteCount
        // Unsafe: evbuffer_pullup makes the first `frame` octets, which exist, contiguous. They stay until they are
        // drained, after the reply is written.
        guard let start = unsafe evbuffer_pullup(input, frame) else { return false }
        let query = unsafe RawSpan(_unsafeStart: start + TCPFraming.prefixBytes, byteCount: byteCount)
        let written = service.respond(to: query, from: self) { write($0) }
        unsafe evbuffer_drain(input, frame)
        return written ?? true
    }

    private func write(_ reply: RawSpan) -> Bool {
        var length = UInt16(truncatingIfNeeded: reply.byteCount).bigEndian
        // Unsafe: libevent copies the octets.
        return unsafe bufferevent_write(stream, &length, TCPFraming.prefixBytes) == 0
            && reply.withUnsafeBytes { unsafe bufferevent_write(stream, $0.baseAddress, $0.count) == 0 }
    }

    // MARK: Replies that an upstream is waited for

    /// Whether a reply is still to come from an upstream.
    var isExpectingReply: Bool { session.outstanding > session.postponed }

    /// Notes that the reply to a query will come later.
    func expectReply() {
        session.deferReply()
    }

    /// Whether there is room for another reply of any length.
    var hasRoom: Bool { session.hasRoom(pendingBytes: pendingBytes) }

    /// Sends such a reply. No other query is answered within this call, because the caller is in the middle of
    /// something.
    func deliver(_ reply: RawSpan) {
        guard !isClosed else { return }
        session.delivered()
        touch()
        guard write(reply) else { return _ = end() }
        proceedLater()
    }

    /// Notes that there was no room for such a reply.
    func postpone(_ client: WaitingClient) {
        guard !isClosed else { return }
        session.postpone()
        postponed.append(client)
        proceedLater()
    }

    /// Marks the connection as used now.
    func touch() {
        activeSince = service.touch(self)
    }

    /// Handles that the client has closed its side, or that the connection broke.
    fileprivate func ended(_ what: Int16) {
        guard Int32(what) & BEV_EVENT_EOF != 0, Int32(what) & BEV_EVENT_READING != 0 else {
            return _ = end()
        }
        session.endInput()
        proceed()
    }

    /// - Returns: `false`: there is no further step.
    private func end() -> Bool {
        service.close(self)
        return false
    }

    /// Closes the socket. Only the service calls it, and only once.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        postponed = []
        unsafe bufferevent_free(stream)
    }
}

// Unsafe in the callbacks: the object exists, see init; it is retained, because handling may release it.

/// Octets have arrived, or all replies have been sent: in both cases there may be a query to take.
@c private func onReady(_ stream: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<TCPConnection>.fromOpaque(context).takeUnretainedValue().proceed()
}

@c private func onEnd(_ stream: OpaquePointer?, _ what: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<TCPConnection>.fromOpaque(context).takeUnretainedValue().ended(what)
}
