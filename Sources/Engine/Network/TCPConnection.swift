import CEvent

/// One TCP client: a libevent bufferevent, from which whole messages are taken and to which replies are written.
@safe
final class TCPConnection {
    /// What other workers know of it.
    let activity: TCPActivity
    /// When its last complete query came, or when it connected: a client that only trickles octets is idle.
    private(set) var activeSince: ContinuousClock.Instant
    private let stream: OpaquePointer
    private unowned let service: TCPService
    /// Held, for the stream must go before its loop does.
    private let loop: EventLoop
    private var session: TCPSession
    /// Clients whose replies had no room: they are answered again once there is.
    private var postponed: [WaitingClient] = []
    private var state = TCPActivity.State.new
    private var isClosed = false

    /// - Parameter socket: a connected, non-blocking socket; closed with this connection.
    /// - Returns: `nil` without memory.
    init?(socket: Int32, activity: TCPActivity, service: TCPService, maximumQueries: Int, loop: EventLoop) {
        // Replies are written whole; waiting for more to send would only delay them.
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
        // Unsafe: the callbacks get this object unretained; the service holds it until close(), which frees the stream
        // and so ends the callbacks.
        unsafe bufferevent_setcb(
            stream, onReady, onReady, onEnd, Unmanaged.passUnretained(self).toOpaque())
        // One message of any length, and not much more.
        unsafe bufferevent_setwatermark(
            stream, Int16(EV_READ), 0, TCPFraming.prefixBytes + MessageSize.maximum + 4096)
        unsafe bufferevent_enable(stream, Int16(EV_READ | EV_WRITE))
    }

    /// The client.
    var client: IPAddress { activity.client }

    /// Octets of replies that have not been sent.
    private var pendingBytes: Int { unsafe evbuffer_get_length(bufferevent_get_output(stream)) }

    /// Whether it has all it asked for, as far as anybody can tell.
    var isFinished: Bool {
        guard pendingBytes == 0, !hasMessage, session.outstanding == 0 else { return false }
        return unsafe !hasUnreadOctets(bufferevent_getfd(stream))
    }

    private var nextStep: TCPFraming.Step {
        let input = unsafe bufferevent_get_input(stream)
        var prefix: UInt16 = 0
        // Unsafe: at most two octets are copied into `prefix`.
        unsafe evbuffer_copyout(input, &prefix, TCPFraming.prefixBytes)
        return TCPFraming.next(
            available: unsafe evbuffer_get_length(input), prefix: UInt16(bigEndian: prefix))
    }

    private var hasMessage: Bool {
        if case .message = nextStep { true } else { false }
    }

    /// Answers what has arrived, as far as earlier replies leave room.
    fileprivate func proceed() {
        let before = session.queries
        session.beginTurn()
        while !isClosed, advance() {}
        if !isClosed { noteActivity(isUsed: session.queries != before) }
    }

    /// Does one step.
    ///
    /// - Returns: whether there is another one to do at once.
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

    /// Has ``proceed()`` called once others have had their turn.
    private func proceedLater() {
        unsafe bufferevent_trigger(
            stream, Int16(EV_READ),
            Int32(BEV_TRIG_DEFER_CALLBACKS.rawValue | BEV_TRIG_IGNORE_WATERMARKS.rawValue))
    }

    /// Tells others what is going on.
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
    /// - Returns: `false` without memory.
    private func answer(_ byteCount: Int) -> Bool {
        let input = unsafe bufferevent_get_input(stream)
        let frame = TCPFraming.prefixBytes + byteCount
        // Unsafe: evbuffer_pullup makes the first `frame` octets, which are there, lie in a row; they stay until they
        // are drained, after the reply is written.
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

    /// Whether an upstream is waited for.
    var isExpectingReply: Bool { session.outstanding > session.postponed }

    /// One more is to come.
    func expectReply() {
        session.deferReply()
    }

    /// Whether there is room for another reply: any, however long.
    var hasRoom: Bool { session.hasRoom(pendingBytes: pendingBytes) }

    /// It has come. Nothing else is answered within this call, for the caller has something in hand.
    func deliver(_ reply: RawSpan) {
        guard !isClosed else { return }
        session.delivered()
        touch()
        guard write(reply) else { return _ = end() }
        proceedLater()
    }

    /// It has come, and there was no room for it.
    func postpone(_ client: WaitingClient) {
        guard !isClosed else { return }
        session.postpone()
        postponed.append(client)
        proceedLater()
    }

    /// Counts as used now.
    func touch() {
        activeSince = service.touch(self)
    }

    /// The client has closed its side, or the connection broke.
    fileprivate func ended(_ what: Int16) {
        guard Int32(what) & BEV_EVENT_EOF != 0, Int32(what) & BEV_EVENT_READING != 0 else {
            return _ = end()
        }
        session.endInput()
        proceed()
    }

    /// - Returns: `false`: there is nothing more to do.
    private func end() -> Bool {
        service.close(self)
        return false
    }

    /// Closes the socket. Called by the service alone, once.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        postponed = []
        unsafe bufferevent_free(stream)
    }
}

// Unsafe in the callbacks: the object is there, see init; it is retained, for handling may end it.

/// Octets have come, or all replies have been sent: either way there may be a query to take.
@c private func onReady(_ stream: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<TCPConnection>.fromOpaque(context).takeUnretainedValue().proceed()
}

@c private func onEnd(_ stream: OpaquePointer?, _ what: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<TCPConnection>.fromOpaque(context).takeUnretainedValue().ended(what)
}
