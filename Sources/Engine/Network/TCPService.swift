import CEvent

/// A worker's TCP side: accepts clients, keeps the limits, closes who is idle.
@safe
final class TCPService {
    /// How long nothing is accepted after the system had no descriptor left.
    private static let acceptPause = Duration.milliseconds(100)

    private let loop: EventLoop
    private let limits: TCPLimits
    private let count: TCPConnectionCount
    private let counters: WorkerCounters
    private unowned let worker: Worker
    private var listeners: [TCPListener] = []
    /// Open connections, the one idle longest first.
    private var connections = RecencyList<TCPConnection>()
    private let idleTimer = TimerTarget()
    private let acceptTimer = TimerTarget()
    private let replyBuffer: UnsafeMutableRawBufferPointer
    private var isDraining = false

    init(
        worker: Worker, loop: EventLoop, limits: TCPLimits, count: TCPConnectionCount,
        counters: WorkerCounters
    ) {
        self.worker = worker
        self.loop = loop
        self.limits = limits
        self.count = count
        self.counters = counters
        // Unsafe: freed in deinit.
        unsafe replyBuffer = .allocate(byteCount: Responder.maximumMessage, alignment: 16)
        idleTimer.action = { [unowned self] in closeIdle() }
        acceptTimer.action = { [unowned self] in for listener in listeners { listener.enable() } }
    }

    deinit {
        unsafe replyBuffer.deallocate()
    }

    /// Accepts clients from a listening socket, which is closed with this service.
    func listen(on socket: consuming Descriptor) throws(EngineError) {
        listeners.append(try TCPListener(socket: socket, service: self, loop: loop))
    }

    /// Whether no client waits for a reply.
    var isIdle: Bool { connections.isEmpty }

    // MARK: Connections

    fileprivate func accepted(_ socket: Int32, from client: IPAddress) {
        counters.connectionsAccepted.count()
        guard admit(client) else {
            counters.connectionsEvicted.count()
            _ = CEvent.close(socket)
            return
        }
        guard
            let connection = TCPConnection(
                socket: socket, client: client, service: self, maximumQueries: limits.maximumQueries,
                loop: loop)
        else {
            count.release(client)
            return
        }
        if connections.isEmpty { scheduleIdleTimer(after: limits.idleTimeout) }
        connections.append(connection)
        counters.connectionsOpen.count()
    }

    /// Makes room for one more connection of `client`: at a limit the connection idle longest gives way, one of the
    /// client's own if it is the client's limit. So clients that sit on their connections hold up nobody.
    private func admit(_ client: IPAddress) -> Bool {
        for _ in 0..<2 {
            let victim: TCPConnection?
            switch count.admit(client) {
            case .admitted: return true
            case .clientLimit: victim = connections.first { $0.client == client }
            case .totalLimit: victim = connections.first { _ in true }
            }
            // None on this worker: those of other workers are theirs.
            guard let victim else { return false }
            counters.connectionsEvicted.count()
            close(victim)
        }
        return false
    }

    fileprivate func acceptFailed() {
        // Out of descriptors: the listener would report it again and again. Let go of one client, and wait.
        if let victim = connections.first(where: { _ in true }) {
            counters.connectionsEvicted.count()
            close(victim)
        }
        for listener in listeners { listener.disable() }
        try? acceptTimer.schedule(after: Self.acceptPause, on: loop)
    }

    /// Notes that a complete query has come.
    ///
    /// - Returns: the time.
    func touch(_ connection: TCPConnection) -> ContinuousClock.Instant {
        connections.moveToEnd(connection)
        return loop.now
    }

    /// Closes a connection and forgets it.
    func close(_ connection: TCPConnection) {
        guard connections.remove(connection) else { return }
        connection.close()
        count.release(connection.client)
        counters.connectionsOpen.uncount()
    }

    private func closeIdle() {
        let now = loop.now
        while let oldest = connections.first(where: { _ in true }) {
            let left = limits.idleTimeout - oldest.activeSince.duration(to: now)
            guard left <= .zero else { return scheduleIdleTimer(after: left) }
            // One that waits for its answer is not idle; that has an end of its own.
            if oldest.isExpectingReply { oldest.touch() } else { close(oldest) }
        }
    }

    private func scheduleIdleTimer(after delay: Duration) {
        // At least a millisecond: the loop's clock and ours may differ by less.
        try? idleTimer.schedule(after: max(delay, .milliseconds(1)), on: loop)
    }

    // MARK: Queries

    /// Answers one query.
    func respond(to query: RawSpan, from connection: TCPConnection, _ send: (RawSpan) -> Bool) -> Bool? {
        unsafe worker.respond(to: query, from: connection, in: replyBuffer, send)
    }

    // MARK: The end

    /// Accepts nobody any longer.
    func stopAccepting() {
        acceptTimer.cancel()
        listeners = []
    }

    /// Closes every client that waits for nothing.
    func closeFinished() {
        for connection in connections.all where connection.isIdle { close(connection) }
    }

    /// Closes every client.
    func closeAll() {
        for connection in connections.all { close(connection) }
        idleTimer.cancel()
    }
}

/// A timer that calls a closure.
final class TimerTarget: EventTarget {
    var action: () -> Void = {}

    override func fire() { action() }
}

/// A listening socket of a ``TCPService``.
@safe
final class TCPListener {
    private let listener: OpaquePointer
    private unowned let service: TCPService
    /// Held, for the listener must go before its loop does.
    private let loop: EventLoop

    init(socket: consuming Descriptor, service: TCPService, loop: EventLoop) throws(EngineError) {
        self.service = service
        self.loop = loop
        // Unsafe: the callbacks get this object after it is complete; it frees the listener before it goes.
        guard
            let listener = unsafe evconnlistener_new(
                loop.base, nil, nil,
                UInt32(LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED), 0,
                socket.number)
        else { throw .resourceExhausted("memory") }
        unsafe self.listener = listener
        _ = socket.release()
        unsafe evconnlistener_set_cb(listener, onAccept, Unmanaged.passUnretained(self).toOpaque())
        unsafe evconnlistener_set_error_cb(listener, onAcceptError)
        unsafe evconnlistener_enable(listener)
    }

    deinit {
        unsafe evconnlistener_free(listener)
    }

    func enable() {
        unsafe evconnlistener_enable(listener)
    }

    func disable() {
        unsafe evconnlistener_disable(listener)
    }

    fileprivate func accepted(_ socket: Int32, from client: IPAddress) {
        service.accepted(socket, from: client)
    }

    fileprivate func failed() {
        service.acceptFailed()
    }
}

@c private func onAccept(
    _ listener: OpaquePointer?, _ socket: Int32, _ address: UnsafeMutablePointer<sockaddr>?,
    _ length: Int32,
    _ context: UnsafeMutableRawPointer?
) {
    guard let context = unsafe context, let address = unsafe address else { return }
    var storage = sockaddr_storage()
    // Unsafe: libevent passes `length` octets, at most those of sockaddr_storage. The object: see init.
    unsafe withUnsafeMutableBytes(of: &storage) { bytes in
        unsafe bytes.copyMemory(
            from: UnsafeRawBufferPointer(start: address, count: min(Int(length), bytes.count)))
    }
    guard let client = SocketAddress(storage) else {
        _ = close(socket)
        return
    }
    unsafe Unmanaged<TCPListener>.fromOpaque(context).takeUnretainedValue().accepted(
        socket, from: client.address)
}

@c private func onAcceptError(_ listener: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<TCPListener>.fromOpaque(context).takeUnretainedValue().failed()
}
