import CEvent

/// One thread that answers: its own loop, sockets, counters and rotation. Shares nothing that it writes.
@safe
final class Worker: TCPQueryHandler, ReplySink, @unchecked Sendable {
    // Sendable: made by one thread, then run by another, and from then on only its mailbox and its counters, which are
    // Sendable themselves, are touched from outside.

    let counters: WorkerCounters
    let mailbox: SnapshotMailbox
    private let loop: EventLoop
    private var responder: Responder
    private var cache: CacheReader
    private var forwarder: Forwarder?
    private var udp: [UDPListener] = []
    private var answering = BatchAnswering()
    private var tcp: TCPService?
    private let mailboxTarget = MailboxTarget()
    private let drainTimer = TimerTarget()
    private var drainEnd: ContinuousClock.Instant?
    private var hasLooked = false
    private let grace: Duration
    /// For replies over TCP that were waited for.
    private let replyBuffer: UnsafeMutableRawBufferPointer

    /// How often a worker that drains looks whether its clients have what they asked for.
    private static let drainInterval = Duration.milliseconds(20)
    /// Batches answered on one socket before others have their turn.
    static let batchesAtOnce = 8
    /// Datagrams of a batch from which on more are expected to wait.
    private static let busyBatch = UDPBatch.capacity / 4
    /// Batches that a worker still answers after it was told to stop: more than a socket's buffer holds.
    private static let batchesAtStop = 1024

    /// - Parameters:
    ///   - responder: answers, and counts.
    ///   - tcp: limits of the connections, of all workers together.
    ///   - connections: of all workers.
    ///   - reader: the worker's number.
    ///   - grace: how long TCP clients may take at the end.
    init(
        responder: consuming Responder, acknowledgements: WakeSignal, tcp limits: TCPLimits,
        connections: TCPConnectionTable, forwarding: SharedForwarding, settings: ForwardingSettings, reader: Int,
        grace: Duration
    ) throws(EngineError) {
        let counters = responder.counters
        self.counters = counters
        self.grace = grace
        // Unsafe: freed in deinit.
        unsafe replyBuffer = .allocate(byteCount: MessageSize.maximum, alignment: 16)
        mailbox = try SnapshotMailbox(acknowledgements: acknowledgements)
        loop = try EventLoop()
        self.responder = responder
        cache = CacheReader(forwarding.cache, number: reader)
        tcp = TCPService(handler: self, loop: loop, limits: limits, table: connections, counters: counters)
        forwarder = Forwarder(
            sink: self, loop: loop, forwarding: forwarding, settings: settings, counters: counters)
        mailboxTarget.worker = self
        drainTimer.action = { [unowned self] in continueDraining() }
        try mailboxTarget.watch(mailbox.wakeDescriptor, on: loop)
        // What was published, or configured, before a query was sent holds for it.
        mailboxTarget.set(.first)
    }

    deinit {
        unsafe replyBuffer.deallocate()
    }

    /// Whether queries can reach it.
    var isListening: Bool { !udp.isEmpty }

    /// Answers what comes in by a UDP socket, from the moment the loop runs.
    ///
    /// - Parameter isKept: whether it stays open when this ends, for another server to go on with it.
    func receive(
        from socket: consuming Descriptor, address: SocketAddress, replyBytes: Int, isKept: Bool
    ) throws(EngineError) {
        let batch = UDPBatch(
            replyBytes: replyBytes, isIPv4: address.address.isIPv4, hasControls: address.address.isUnspecified)
        let replies = ReplyQueue(replyBytes: replyBytes, socket: socket.number, loop: loop, counters: counters)
        let listener = UDPListener(
            socket: socket, address: address, batch: batch, replies: replies, worker: self, isKept: isKept)
        udp.append(listener)
        try listener.watch(listener.socketNumber, on: loop)
    }

    /// Accepts connections from a TCP socket, from the moment the loop runs.
    ///
    /// - Parameter isKept: as above.
    func accept(from socket: consuming Descriptor, isKept: Bool) throws(EngineError) {
        try tcp?.listen(on: socket, isKept: isKept)
    }

    /// Takes over what was published before the worker's thread runs. Nobody waits for that.
    func prepare() {
        mailbox.consumeWake()
        if let snapshot = mailbox.take(newerThan: responder.generation) { responder.adopt(snapshot) }
        adoptSettings()
    }

    /// Runs the loop until the worker is told to stop and has finished.
    func run() {
        forwarder?.begin()
        loop.run()
        // If there was no time left for it before. What comes later to a socket that is kept is the next server's.
        for listener in udp {
            answer(listener.batch, by: listener, on: listener.socketNumber, batches: Self.batchesAtStop)
        }
        tcp?.closeAll()
        tcp = nil
        forwarder?.closeAll()
        for listener in udp { listener.replies.send() }
        udp = []
        loop.runPending()
    }

    // MARK: Queries

    /// Answers what has arrived on a UDP socket, a few batches at most.
    ///
    /// - Returns: whether it may go before others the next time: not when more is expected to wait, so that a flood of
    ///   queries leaves others their turn.
    @inline(__always)
    @discardableResult
    fileprivate func answer(_ batch: UDPBatch, by listener: UDPListener, on socket: Int32, batches: Int) -> Bool {
        for _ in 0..<batches {
            let count = batch.receive(from: socket)
            guard count > 0 else { return true }
            cache.read { answering.answer(batch, count, with: &responder, &$0) }
            let failures = batch.send(to: socket)
            if failures > 0 { counters.count(.sendErrors, UInt64(failures)) }
            if !answering.deferred.isEmpty { forward(batch, by: listener) }
            adoptIfNewer()
            // While this batch was answered the next came in; after a short one, most likely, nothing did, and asking
            // the socket once more would be a system call for nothing.
            guard count >= Self.busyBatch else { return true }
        }
        return false
    }

    /// Answers what has arrived on a UDP socket.
    ///
    /// - Returns: how urgent the next query there is. One that finds few others goes before all upstreams' answers and
    ///   time-outs, which take longer each and come by the thousand when somebody asks for random names.
    @inline(__always)
    func turn(of listener: UDPListener, on socket: Int32) -> EventTarget.Priority {
        loop.pace.noteTurn()
        let goesFirst = answer(listener.batch, by: listener, on: socket, batches: Self.batchesAtOnce)
        return goesFirst && loop.pace.queriesGoFirst ? .first : .other
    }

    private func forward(_ batch: UDPBatch, by listener: UDPListener) {
        loop.pace.noteBegin(.now)
        for query in answering.deferred {
            forwarder?.ask(
                batch.message(query.place), query, batch.origin(query.place).map { .udp(listener.replies, $0) })
        }
        loop.pace.noteEnd(.now)
    }

    /// Answers a query that came over TCP.
    func respond(
        to query: RawSpan, from connection: TCPConnection, in buffer: UnsafeMutableRawBufferPointer,
        _ send: (RawSpan) -> Bool
    ) -> Bool? {
        let (disposition, byteCount) = cache.read { cache in
            // Unsafe: the buffer is the TCP service's, used for one reply at a time.
            var reply = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
            let parsed = responder.read(query, cache)
            let disposition = responder.respond(
                to: query, parsed, over: .tcp, from: { connection.client }, &cache, into: &reply)
            return (disposition, reply.byteCount)
        }
        // Unsafe: so many octets were written, and none are until the reply is sent.
        let reply = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<byteCount]))
        let deferred = responder.deferred
        switch disposition {
        case .reply: return send(reply)
        case .silence: return nil
        case .replyAndRefresh:
            let isSent = send(reply)
            if let deferred { forwarder?.ask(query, deferred, nil) }
            return isSent
        case .forward:
            connection.expectReply()
            if let deferred {
                forwarder?.ask(query, deferred, .tcp(WeakConnection(connection: connection)))
            }
            return nil
        }
    }

    // MARK: Replies that were waited for

    /// Sends an upstream's answer, and puts it into the cache first, so that who has it and asks another worker finds
    /// it.
    ///
    /// - Parameters:
    ///   - isKept: whether it may be in the cache.
    ///   - ttl: of the replies, in seconds.
    /// - Returns: `false` when it is too long to be a message; nothing is sent then.
    func reply(
        _ content: AnswerContent, _ key: CacheKey, _ times: AnswerTimes, isKept: Bool, ttl: UInt32,
        to clients: [WaitingClient]
    ) -> Bool {
        cache.insert(content, key, times, isKept: isKept) { answer in
            let clients = clients.span
            for index in clients.indices { write(answer, ttl: ttl, reason: nil, to: clients[index]) }
        }
    }

    /// Sends SERVFAIL.
    func replyFailure(_ reason: ExtendedError, to client: WaitingClient) {
        deliver(to: client, isShort: true) { responder, reply in
            responder.writeFailure(reason, client.frame, client.query.rawSpan, into: &reply)
        }
    }

    /// Sends what the cache has, if it has an answer that may be used.
    ///
    /// - Parameter stale: whether one that has expired may be (RFC 8767).
    /// - Returns: whether there was one.
    func replyFromCache(_ key: CacheKey, to client: WaitingClient, now: MonotonicTime, mayBeStale: Bool) -> Bool {
        cache.read { cache in
            guard let answer = cache.find(key.name.rawSpan, key.type, key.variant, hash: key.hash),
                now < (mayBeStale ? answer.times.end : answer.times.expiry)
            else { return false }
            let isFresh = now < answer.times.expiry
            let isNameError = answer.code == ResponseCode.nameError
            if !isFresh { counters.count(.staleAnswers) }
            write(
                answer, ttl: answer.times.remainingTTL(now: now),
                reason: isFresh ? nil : isNameError ? .staleNameError : .staleAnswer, to: client)
            return true
        }
    }

    /// Answers a query from an upstream's answer that had no room when it came.
    func respondAgain(to client: WaitingClient) {
        forwarder?.askAgain(for: client)
    }

    private func write(_ answer: CachedAnswer, ttl: UInt32, reason: ExtendedError?, to client: WaitingClient) {
        deliver(to: client) { responder, reply in
            responder.write(answer, ttl: ttl, client.frame, client.query.rawSpan, reason: reason, into: &reply)
        }
    }

    /// Has a reply sent. Nothing that could come of it happens within this call: what is in hand stays what it is.
    ///
    /// - Parameter isShort: whether it is so short that it has room in any case.
    @inline(__always)
    private func deliver(
        to client: WaitingClient, isShort: Bool = false, _ write: (inout Responder, inout OutputRawSpan) -> Void
    ) {
        switch client.route {
        case .udp(let replies, let origin):
            replies.add(to: origin) { write(&responder, &$0) }
        case .tcp(let target):
            guard let connection = target.connection else { return }
            guard isShort || connection.hasRoom else { return connection.postpone(client) }
            // Unsafe: the span is the only one on the buffer, and ends with this call.
            var reply = unsafe OutputRawSpan(buffer: replyBuffer, initializedCount: 0)
            write(&responder, &reply)
            connection.deliver(reply.bytes)
        }
    }

    // MARK: Mailbox

    /// Answers from the newest snapshot from now on. Called between batches.
    @inline(__always)
    private func adoptIfNewer() {
        if let snapshot = mailbox.take(newerThan: responder.generation) {
            responder.adopt(snapshot)
            mailbox.acknowledge()
        }
    }

    private func adoptSettings() {
        if let clients = mailbox.takeLargeUDP() { responder.largeUDP = clients }
        guard let settings = mailbox.takeSettings() else { return }
        responder.outside.adopt(access: settings.access, isOn: settings.isOn)
        forwarder?.adopt(settings)
    }

    fileprivate func openMailbox() {
        mailbox.consumeWake()
        adoptIfNewer()
        adoptSettings()
        if mailbox.isStopping, drainEnd == nil { beginDraining() }
    }

    // MARK: The end

    /// Has the kernel refuse what comes from now on, and answers what has come. Sockets that are kept are answered from
    /// to the end, and nobody is accepted from them any more.
    private func beginDraining() {
        drainEnd = loop.now + grace
        for listener in udp {
            listener.refuse()
            // What the kernel was about to put there is found by the loop.
            answer(listener.batch, by: listener, on: listener.socketNumber, batches: Self.batchesAtStop)
        }
        tcp?.stopAccepting()
        // Queries of TCP clients that are in the kernel's buffers are read in the next rounds of the loop.
        guard (try? drainTimer.schedule(after: Self.drainInterval, on: loop)) != nil else {
            return loop.stop()
        }
    }

    private func continueDraining() {
        var isFinished = false
        if hasLooked {
            tcp?.closeFinished()
            isFinished = (tcp?.isEmpty ?? true) && (forwarder?.isIdle ?? true)
        }
        // Who had connected before the stop is read until the next look.
        hasLooked = true
        if isFinished || loop.now >= (drainEnd ?? loop.now) { return loop.stop() }
        guard (try? drainTimer.schedule(after: Self.drainInterval, on: loop)) != nil else {
            return loop.stop()
        }
    }
}

/// A worker's mailbox in its loop.
final class MailboxTarget: EventTarget {
    weak var worker: Worker?

    override func fire() {
        worker?.openMailbox()
    }
}
