import CEvent

/// Answers queries over TCP.
protocol TCPQueryHandler: AnyObject {
    /// Answers a query.
    ///
    /// - Parameters:
    ///   - buffer: room for the reply, until this returns.
    ///   - send: writes the reply.
    /// - Returns: whether the reply was written; `nil` if there is none, or it comes later.
    func respond(
        to query: RawSpan, from connection: TCPConnection, in buffer: UnsafeMutableRawBufferPointer,
        _ send: (RawSpan) -> Bool
    ) -> Bool?

    /// Answers a query whose reply had no room when it came.
    func respondAgain(to client: WaitingClient)
}

/// A worker's TCP side: accepts clients, enforces the limits, closes idle connections.
@safe
final class TCPService {
    /// A connection that was accepted while all allowed ones were busy. Nothing is read from it.
    private struct WaitingSocket {
        var socket: Int32
        var client: IPAddress
        var since: MonotonicTime
    }

    /// How long nothing is accepted after the system was out of descriptors.
    private static let acceptPause = Duration.milliseconds(100)
    /// How often waiting connections are checked: what they wait for may happen on another worker.
    private static let waitingInterval = Duration.milliseconds(2)

    private let loop: EventLoop
    private let limits: TCPLimits
    private let table: TCPConnectionTable
    private let counters: WorkerCounters
    private unowned let handler: any TCPQueryHandler
    private var listeners: [TCPListener] = []
    /// Open connections, the one idle longest first.
    private var connections = RecencyList<TCPConnection>()
    /// Connections of clients that have all they may have, in the order of arrival.
    private var waiting: [WaitingSocket] = []
    /// A connection for which there was no room among all; no others are accepted meanwhile.
    private var lastAccepted: WaitingSocket?
    private let idleTimer = TimerTarget()
    private let acceptTimer = TimerTarget()
    private let waitingTimer = TimerTarget()
    private let replyBuffer: UnsafeMutableRawBufferPointer
    private var isOutOfDescriptors = false
    private var isStopping = false

    init(
        handler: any TCPQueryHandler, loop: EventLoop, limits: TCPLimits, table: TCPConnectionTable,
        counters: WorkerCounters
    ) {
        self.handler = handler
        self.loop = loop
        self.limits = limits
        self.table = table
        self.counters = counters
        // Unsafe: freed in deinit.
        unsafe replyBuffer = .allocate(byteCount: MessageSize.maximum, alignment: 16)
        idleTimer.action = { [unowned self] in closeIdle() }
        acceptTimer.action = { [unowned self] in
            isOutOfDescriptors = false
            updateListeners()
        }
        waitingTimer.action = { [unowned self] in admitWaiting() }
    }

    deinit {
        unsafe replyBuffer.deallocate()
    }

    /// Accepts clients from a listening socket, which is closed with this service.
    ///
    /// - Parameter isKept: whether another process continues to use the socket, which then serves the clients that are
    ///   waiting there at the end.
    func listen(on socket: consuming Descriptor, isKept: Bool = false) throws(EngineError) {
        listeners.append(try TCPListener(socket: socket, service: self, loop: loop, isKept: isKept))
    }

    /// Whether no client is connected.
    var isEmpty: Bool { connections.isEmpty && waiting.isEmpty && lastAccepted == nil }

    // MARK: Accepting

    func accepted(_ socket: Int32, from client: IPAddress) {
        counters.count(.connectionsAccepted)
        let now = MonotonicTime.now
        guard !isStopping else { return open(socket, table.admitAnyway(client, socket: socket, now: now)) }
        admit(WaitingSocket(socket: socket, client: client, since: now), now: now)
    }

    private func admit(_ accepted: WaitingSocket, now: MonotonicTime) {
        switch table.admit(accepted.client, socket: accepted.socket, now: now) {
        case .admitted(let activity): return open(accepted.socket, activity)
        case .waits: waiting.append(accepted)
        case .allAreBusy: lastAccepted = accepted
        case .refused:
            counters.count(.connectionsEvicted)
            _ = CEvent.close(accepted.socket)
            return
        }
        updateListeners()
        scheduleWaitingTimer()
    }

    private func open(_ socket: Int32, _ activity: TCPActivity) {
        guard
            let connection = TCPConnection(
                socket: socket, activity: activity, service: self, maximumQueries: limits.maximumQueries, loop: loop)
        else {
            _ = table.remove(activity)
            _ = CEvent.close(socket)
            return
        }
        if connections.isEmpty { scheduleIdleTimer(after: limits.idleTimeout) }
        connections.append(connection)
        counters.count(.connectionsOpen)
    }

    /// Opens the waiting connections for which there is room now.
    private func admitWaiting() {
        let now = MonotonicTime.now
        if let accepted = lastAccepted.take() { admit(accepted, now: now) }
        var busy: [IPAddress] = []
        waiting.removeAll { accepted in
            if !busy.contains(accepted.client) {
                if let activity = table.admitWaiting(accepted.client, socket: accepted.socket, now: now) {
                    open(accepted.socket, activity)
                    return true
                }
                busy.append(accepted.client)
            }
            // Close it like an open connection without queries: its client is busy with its other ones.
            guard now - accepted.since >= Nanoseconds(limits.idleTimeout) else { return false }
            closeWaiting(accepted)
            return true
        }
        updateListeners()
        scheduleWaitingTimer()
    }

    private func closeWaiting(_ accepted: WaitingSocket) {
        counters.count(.connectionsEvicted)
        table.removeWaiting(accepted.client)
        _ = CEvent.close(accepted.socket)
    }

    private func scheduleWaitingTimer() {
        guard !waiting.isEmpty || lastAccepted != nil else { return }
        try? waitingTimer.schedule(after: Self.waitingInterval, on: loop)
    }

    private func updateListeners() {
        for listener in listeners {
            if lastAccepted != nil || isOutOfDescriptors {
                listener.suspend()
            } else if (try? listener.resume()) == nil {
                acceptFailed()
            }
        }
    }

    /// The system is out of descriptors or memory: makes one client give way, and pauses.
    func acceptFailed() {
        isOutOfDescriptors = true
        table.evictIdle(now: .now)
        for listener in listeners { listener.suspend() }
        try? acceptTimer.schedule(after: Self.acceptPause, on: loop)
    }

    // MARK: Connections

    /// Notes that a complete query has arrived.
    ///
    /// - Returns: the time.
    func touch(_ connection: TCPConnection) -> ContinuousClock.Instant {
        connections.moveToEnd(connection)
        return loop.now
    }

    /// Closes a connection and removes it.
    func close(_ connection: TCPConnection) {
        guard connections.remove(connection) else { return }
        if !table.remove(connection.activity) { counters.count(.connectionsEvicted) }
        connection.close()
        counters.uncount(.connectionsOpen)
    }

    private func closeIdle() {
        let now = loop.now
        while let oldest = connections.first(where: { _ in true }) {
            let left = limits.idleTimeout - oldest.activeSince.duration(to: now)
            guard left <= .zero else { return scheduleIdleTimer(after: left) }
            // A connection that waits for its answer is not idle; the wait has a limit of its own.
            if oldest.isExpectingReply { oldest.touch() } else { close(oldest) }
        }
    }

    private func scheduleIdleTimer(after delay: Duration) {
        // At least a millisecond, because the loop's clock and ours may differ by less.
        try? idleTimer.schedule(after: max(delay, .milliseconds(1)), on: loop)
    }

    // MARK: Queries

    /// Answers one query.
    func respond(to query: RawSpan, from connection: TCPConnection, _ send: (RawSpan) -> Bool) -> Bool? {
        unsafe handler.respond(to: query, from: connection, in: replyBuffer, send)
    }

    /// Answers a query again whose reply had no room.
    func respondAgain(to client: WaitingClient) {
        handler.respondAgain(to: client)
    }

    // MARK: The end

    /// Accepts everybody who has connected so far, and nobody afterwards.
    func stopAccepting() {
        isStopping = true
        acceptTimer.cancel()
        waitingTimer.cancel()
        for listener in listeners { listener.acceptAll() }
        listeners = []
        let now = MonotonicTime.now
        for accepted in waiting {
            table.removeWaiting(accepted.client)
            open(accepted.socket, table.admitAnyway(accepted.client, socket: accepted.socket, now: now))
        }
        waiting = []
        if let accepted = lastAccepted.take() {
            open(accepted.socket, table.admitAnyway(accepted.client, socket: accepted.socket, now: now))
        }
    }

    /// Closes every connection whose client has all its answers.
    func closeFinished() {
        for connection in connections.all where connection.isFinished { close(connection) }
    }

    /// Closes every connection, including those that wait.
    func closeAll() {
        for connection in connections.all { close(connection) }
        for accepted in waiting { closeWaiting(accepted) }
        waiting = []
        if let accepted = lastAccepted.take() { _ = CEvent.close(accepted.socket) }
        idleTimer.cancel()
        acceptTimer.cancel()
        waitingTimer.cancel()
    }
}
