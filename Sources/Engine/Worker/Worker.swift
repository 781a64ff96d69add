import CEvent

/// One thread that answers, with its own loop, sockets, counters and rotation state. It shares nothing that it writes.
@safe
final class Worker: TCPQueryHandler, ReplySink, @unchecked Sendable {
    // Sendable: one thread makes it and another one runs it. From then on, others touch only its mailbox and its
    // counters, which are Sendable.

    let counters: WorkerCounters
    let mailbox: SnapshotMailbox
    /// What its clients ask, for people.
    let journal: QueryJournal
    /// How long that takes.
    let histograms: QueryHistograms
    private let loop: EventLoop
    private var responder: Responder
    private var cache: CacheReader
    private var forwarder: Forwarder?
    private var udp: [UDPListener] = []
    private var answering = BatchAnswering()
    private var observer: QueryObserver
    private var tcp: TCPService?
    private let mailboxTarget = MailboxTarget()
    private let drainTimer = TimerTarget()
    private var drainEnd: ContinuousClock.Instant?
    private var hasLooked = false
    private let grace: Duration
    /// For replies over TCP that clients had to wait for.
    private let replyBuffer: UnsafeMutableRawBufferPointer
    private let number: Int

    /// How often a stopping worker checks whether its clients have all their answers.
    private static let drainInterval = Duration.milliseconds(20)
    /// How many batches of one socket are answered before others get their turn.
    static let batchesAtOnce = 8
    /// If a batch has at least this many datagrams, more are expected to be waiting.
    private static let busyBatch = UDPBatch.capacity / 4
    /// How many batches are still answered after the stop: more than a socket's buffer holds.
    private static let batchesAtStop = 1024

    /// - Parameters:
    ///   - responder: makes the answers, and counts.
    ///   - tcp: limits of the connections, for all workers together.
    ///   - connections: the connections of all workers.
    ///   - reader: the worker's number.
    ///   - grace: how long TCP clients may take at the end.
    init(
        responder: consuming Responder, acknowledgements: WakeSignal, tcp limits: TCPLimits,
        connections: TCPConnectionTable, forwarding: SharedForwarding, settings: ForwardingSettings, reader: Int,
        grace: Duration
    ) throws(EngineError) {
        let counters = responder.counters
        self.counters = counters
        observer = QueryObserver()
        journal = observer.journal
        histograms = observer.histograms
        self.grace = grace
        number = reader
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
        // A query sees everything that was published or configured before it was sent.
        mailboxTarget.set(.first)
    }

    deinit {
        unsafe replyBuffer.deallocate()
    }

    /// Whether queries can reach it.
    var isListening: Bool { !udp.isEmpty }

    /// Answers what arrives at a UDP socket, as soon as the loop runs.
    ///
    /// - Parameter isKept: whether the socket stays open when the worker ends, for another server to use.
    func receive(
        from socket: consuming Descriptor, address: SocketAddress, replyBytes: Int, isKept: Bool
    ) throws(EngineError) {
        let batch = UDPBatch(
            replyBytes: replyBytes, own: address, hasControls: address.address.isUnspecified)
        let replies = ReplyQueue(replyBytes: replyBytes, socket: socket.number, loop: loop, counters: counters)
        let listener = UDPListener(
            socket: socket, address: address, batch: batch, replies: replies, worker: self, isKept: isKept)
        udp.append(listener)
        try listener.watch(listener.socketNumber, on: loop)
    }

    /// Accepts connections from a TCP socket, as soon as the loop runs.
    ///
    /// - Parameter isKept: as for ``receive(from:address:replyBytes:isKept:)``.
    func accept(from socket: consuming Descriptor, isKept: Bool) throws(EngineError) {
        try tcp?.listen(on: socket, isKept: isKept)
    }

    /// Adopts what was published before the worker's thread runs; nobody waits for that.
    func prepare() {
        mailbox.consumeWake()
        if let snapshot = mailbox.take(newerThan: responder.generation) { responder.adopt(snapshot) }
        adoptSettings()
    }

    /// Runs the loop until the worker was told to stop and has finished.
    func run() {
        forwarder?.begin()
        loop.run()
        // In case there was no time for it before. What reaches a kept socket later is for the next server.
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

    /// Answers what has arrived at a UDP socket, a few batches at most.
    ///
    /// - Returns: whether its queries may go first the next time. Not if more are expected to be waiting, so that a
    ///   flood of queries leaves others their turn.
    @inline(__always)
    @discardableResult
    fileprivate func answer(_ batch: UDPBatch, by listener: UDPListener, on socket: Int32, batches: Int) -> Bool {
        var isSecondLook = false
        for _ in 0..<batches {
            let count = batch.receive(from: socket)
            if isSecondLook {
                listener.secondLook.note(success: count > 0)
                loop.pace.noteTurn()
            }
            guard count > 0 else { return true }
            // The loop may have found this socket before it was woken for settings that were posted before the query
            // was sent.
            adoptSettings()
            let arrival = observer.isDue(count) ? MonotonicTime.now : .distantPast
            cache.read { answering.answer(batch, count, with: &responder, &$0) }
            let failures = batch.send(to: socket)
            if failures > 0 { counters.count(.sendErrors, UInt64(failures)) }
            // After the replies are on their way.
            let sampled = observer.note(batch, count, counters)
            if !sampled.isEmpty {
                observer.record(sampled, of: batch, arrival: arrival, by: responder.rules, &answering)
            }
            if !answering.deferred.isEmpty { forward(batch, by: listener) }
            adoptIfNewer()
            // The next queries came in while this batch was answered. After a short batch there may be none, and asking
            // the socket once more would waste a system call; but if there are some, it saves a round of the loop.
            isSecondLook = count < Self.busyBatch
            if isSecondLook, !listener.secondLook.begin() { return true }
        }
        return isSecondLook
    }

    /// Answers what has arrived at a UDP socket.
    ///
    /// - Returns: the priority of its next query. Queries that arrive in small numbers go before all upstreams' answers
    ///   and time-outs: those take longer each, and come by the thousand if somebody asks for random names.
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
        let arrival = observer.isDue(1) ? MonotonicTime.now : .distantPast
        let (disposition, byteCount) = cache.read { cache in
            // Unsafe: the buffer belongs to the TCP service, and is used for one reply at a time.
            var reply = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
            let parsed = responder.read(query, over: .tcp, cache)
            let disposition = responder.respond(
                to: query, as: parsed, from: connection.client, cache: &cache, into: &reply)
            return (disposition, reply.byteCount)
        }
        // Unsafe: this many octets were written, and nothing writes before the reply is sent.
        let reply = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<byteCount]))
        var deferred = responder.deferred
        let sampled = observer.note(query, byteCount > 0 ? reply : nil, from: connection.client)
        if !sampled.isEmpty {
            let sample = sampled.sample(at: 0, arrival: arrival, byteCount: query.byteCount)
            if disposition == .forward {
                deferred?.sample = sample
            } else if byteCount > 0 {
                let origin = responder.rules.origin(of: query, over: .tcp, from: connection.client)
                observer.record(sample, query, reply, origin, over: .tcp, from: connection.client, now: .now)
            }
        }
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

    /// Puts an upstream's answer into the cache, and then sends it. In this order, a client that has it and asks
    /// another worker finds it there.
    ///
    /// - Parameters:
    ///   - isKept: whether the cache may keep it.
    ///   - ttl: the TTL in the replies, in seconds.
    /// - Returns: `false` if it is too long for a message; nothing is sent then.
    func reply(
        _ content: AnswerContent, key: CacheKey, times: AnswerTimes, isKept: Bool, ttl: UInt32,
        to clients: [WaitingClient]
    ) -> Bool {
        cache.insert(content, key: key, times: times, isKept: isKept) { answer in
            let clients = clients.span
            for index in clients.indices { write(answer, from: .upstream, ttl: ttl, reason: nil, to: clients[index]) }
        }
    }

    /// Sends SERVFAIL.
    func replyFailure(_ reason: ExtendedError, to client: WaitingClient) {
        deliver(to: client, from: reason == .cachedError ? .cache : .upstream, isShort: true) { responder, reply in
            responder.writeFailure(reason, to: client.query.rawSpan, frame: client.frame, into: &reply)
        }
    }

    /// Sends the cached answer, if there is one that may be used.
    ///
    /// - Parameter mayBeStale: whether an expired one may be used (RFC 8767).
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
                answer, from: .cache, ttl: answer.times.remainingTTL(now: now),
                reason: isFresh ? nil : isNameError ? .staleNameError : .staleAnswer, to: client)
            return true
        }
    }

    /// Answers a query whose reply had no room when the upstream's answer came.
    func respondAgain(to client: WaitingClient) {
        forwarder?.askAgain(for: client)
    }

    private func write(
        _ answer: CachedAnswer, from source: QuerySource, ttl: UInt32, reason: ExtendedError?, to client: WaitingClient
    ) {
        deliver(to: client, from: source) { responder, reply in
            responder.write(
                answer, ttl: ttl, reason: reason, to: client.query.rawSpan, frame: client.frame, into: &reply)
        }
    }

    /// Notes a reply that was waited for, if it is a failure, or was chosen. All others are not worth the access to the
    /// observer.
    @inline(__always)
    private func note(
        _ reply: RawSpan, to client: WaitingClient, at address: IPAddress?, over transport: Transport,
        from source: QuerySource
    ) {
        if QueryObserver.isNoted(reply) { observer.noteFailure(client.query.rawSpan, reply, from: address) }
        guard let sample = client.sample else { return }
        observer.record(
            sample, client.query.rawSpan, reply, QueryOrigin(source, client.frame), over: transport, from: address,
            now: .now)
    }

    /// Sends a reply. Nothing else happens within this call, so the caller's state stays valid.
    ///
    /// - Parameters:
    ///   - source: where the answer comes from.
    ///   - isShort: whether the reply is so short that there is always room for it.
    @inline(__always)
    private func deliver(
        to client: WaitingClient, from source: QuerySource, isShort: Bool = false,
        _ write: (inout Responder, inout OutputRawSpan) -> Void
    ) {
        switch client.route {
        case .udp(let replies, let origin):
            replies.add(to: origin) {
                write(&responder, &$0)
                note($0.bytes, to: client, at: origin.client, over: .udp, from: source)
            }
        case .tcp(let target):
            guard let connection = target.connection else { return }
            guard isShort || connection.hasRoom else { return connection.postpone(client) }
            // Unsafe: this is the only span on the buffer, and it ends with this call.
            var reply = unsafe OutputRawSpan(buffer: replyBuffer, initializedCount: 0)
            write(&responder, &reply)
            note(reply.bytes, to: client, at: connection.client, over: .tcp, from: source)
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

    /// Goes by the newest settings from now on. Only called when nothing of a query is in hand, because questions that
    /// wait may end.
    @inline(__always)
    private func adoptSettings() {
        if mailbox.takesSettings() { adoptPostedSettings() }
    }

    private func adoptPostedSettings() {
        if let clients = mailbox.takeLargeUDP() { responder.adopt(clients) }
        if let defence = mailbox.takeDefence() { responder.adopt(defence) }
        if let queryLog = mailbox.takeQueryLog() { observer.adopt(queryLog) }
        if let settings = mailbox.takeSettings() {
            responder.adopt(OutsideAccess(settings.access, isOn: settings.isOn))
            forwarder?.adopt(settings)
        }
        for request in mailbox.takeInspections() { request.take(inspect(request), fromWorker: number) }
    }

    /// What a client would be answered now.
    private func inspect(_ request: InspectionRequest) -> Inspection {
        let query = request.query
        return cache.read { cache in
            // Unsafe: the spans on the buffer are used one after the other.
            var short = unsafe OutputRawSpan(buffer: replyBuffer, initializedCount: 0)
            let overUDP = responder.inspect(query.rawSpan, over: .udp, from: request.client, &cache, into: &short)
            var reply = unsafe OutputRawSpan(buffer: replyBuffer, initializedCount: 0)
            var whole = responder.inspect(query.rawSpan, over: .tcp, from: request.client, &cache, into: &reply)
            whole.isTruncatedOverUDP = overUDP.isTruncated
            return whole
        }
    }

    fileprivate func openMailbox() {
        mailbox.consumeWake()
        adoptIfNewer()
        adoptSettings()
        if mailbox.isStopping, drainEnd == nil { beginDraining() }
    }

    // MARK: The end

    /// Makes the kernel refuse further queries, and answers what has arrived. Kept sockets are answered until the end,
    /// but no more connections are accepted from them.
    private func beginDraining() {
        drainEnd = loop.now + grace
        for listener in udp {
            listener.refuse()
            // What the kernel is still putting there is found by the loop.
            answer(listener.batch, by: listener, on: listener.socketNumber, batches: Self.batchesAtStop)
        }
        tcp?.stopAccepting()
        // The next rounds of the loop read TCP clients' queries that are in the kernel's buffers.
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
        // The first look closes nobody: clients that connected before the stop are read until the next one.
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
