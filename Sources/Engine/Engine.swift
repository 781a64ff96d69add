import Synchronization

/// Answers DNS queries from the zones that were published last.
///
/// ``publish(_:)``, ``start()`` and ``stop()`` may be called on any thread; they wait for each other.
public final class Engine: Sendable {
    /// The most workers there can be.
    public static let maximumWorkers = 256

    /// The addresses listened on, with the ports that the system chose where 0 was requested.
    public let localAddresses: [SocketAddress]

    /// The origin of the services' zone, in wire form and lower case.
    public let serviceOrigin: [UInt8]

    let workers: [Worker]
    private let longestDatagram: Int
    private let acknowledgements: WakeSignal
    private let forwarding: SharedForwarding
    private let settings: Mutex<ForwardingSettings>
    private let defence: Mutex<DefenceSettings>
    private let largeUDPPayload: Int
    private let largeUDPNetworks: Mutex<[IPNetwork]>
    private let state: Mutex<State>
    private let running = Atomic(false)
    let queryLog = Mutex(QueryLogState())

    private struct State {
        var builder: SnapshotBuilder
        var threads: [WorkerThread] = []
        /// Hold the addresses until the workers listen on them.
        var reservations: [ListeningSocket.Reservation] = []
        var inherited: [InheritedSocket]
        var isStopped = false
    }

    /// Reserves all addresses and prepares the workers; answers nothing yet.
    ///
    /// - Parameters:
    ///   - configuration: what to serve, and where.
    ///   - inherited: sockets to use for their addresses instead of opening new ones. They stay open when the engine
    ///     ends: queries that arrive then wait in them for the next server.
    ///   - grace: how long ``stop()`` gives TCP clients to receive their answers.
    ///   - refusesUntilStart: whether queries are refused until ``start()``, as at a closed port, so that clients turn
    ///     to another server at once. Otherwise they wait in the sockets and are answered after the start, as always in
    ///     inherited sockets.
    /// - Throws: ``EngineError`` if a value is out of range or a socket can't be bound; nothing stays open then.
    public init(
        _ configuration: EngineConfiguration, inherited: [InheritedSocket] = [], grace: Duration = .seconds(2),
        refusesUntilStart: Bool = false
    ) throws(EngineError) {
        try Self.validate(configuration)
        let builder = try SnapshotBuilder(configuration.zones, strategy: configuration.strategy)
        let fixed = try configuration.makeFixedAnswers()
        let special = try SpecialNames()
        let acknowledgements = try WakeSignal(blocking: true)
        let connections = TCPConnectionTable(limits: configuration.tcp)
        var reservations: [ListeningSocket.Reservation] = []
        var addresses: [SocketAddress] = []
        for address in configuration.listen {
            if inherited.contains(where: { $0.address == address }) {
                addresses.append(address)
            } else {
                reservations.append(try ListeningSocket.reserve(address))
                addresses.append(reservations[reservations.count - 1].address)
            }
        }
        for socket in inherited {
            try ListeningSocket.takeOver(socket.number, socket.address, socket.transport)
        }
        let forwarding = try SharedForwarding(
            configuration.forwarding, own: configuration.ownNames, readerCount: configuration.workers)
        let settings = ForwardingSettings(configuration.forwarding.upstreams)
        let defence = try DefenceSettings(configuration.defence)
        var workers: [Worker] = []
        for index in 0..<configuration.workers {
            workers.append(
                try Worker(
                    responder: Responder(
                        configuration, snapshot: builder.snapshot, fixed: fixed, special: special, settings: settings,
                        defence: defence),
                    acknowledgements: acknowledgements, tcp: configuration.tcp, connections: connections,
                    forwarding: forwarding, settings: settings, reader: index, grace: grace))
        }
        if !refusesUntilStart {
            reservations = []
            try Self.listen(on: addresses, inherited, workers, configuration.longestDatagram)
        }
        localAddresses = addresses
        serviceOrigin = RecordPacker.wireName(configuration.zone.origin) ?? [0]
        self.workers = workers
        longestDatagram = configuration.longestDatagram
        largeUDPPayload = configuration.largeUDPPayload
        largeUDPNetworks = Mutex(configuration.largeUDPNetworks)
        self.acknowledgements = acknowledgements
        self.forwarding = forwarding
        self.settings = Mutex(settings)
        self.defence = Mutex(defence)
        state = Mutex(State(builder: builder, reservations: reservations, inherited: inherited))
    }

    private static func listen(
        on addresses: [SocketAddress], _ inherited: [InheritedSocket], _ workers: [Worker], _ longestDatagram: Int
    ) throws(EngineError) {
        for (index, worker) in workers.enumerated() {
            for address in addresses {
                let udp = inherited.matching(address, .udp)
                for socket in udp.share(ofWorker: index, of: workers.count) {
                    try worker.receive(
                        from: open(socket, address, .udp), address: address, replyBytes: longestDatagram,
                        isKept: socket != nil)
                }
                let tcp = inherited.matching(address, .tcp)
                for socket in tcp.share(ofWorker: index, of: workers.count) {
                    try worker.accept(from: open(socket, address, .tcp), isKept: socket != nil)
                }
            }
        }
    }

    private static func open(
        _ inherited: InheritedSocket?, _ address: SocketAddress, _ transport: SocketTransport
    ) throws(EngineError) -> Descriptor {
        if let inherited { return try inherited.duplicate() }
        return try ListeningSocket.open(address, transport)
    }

    private static func validate(_ configuration: EngineConfiguration) throws(EngineError) {
        guard (1...maximumWorkers).contains(configuration.workers) else {
            throw .invalidConfiguration("workers must be 1–\(maximumWorkers)")
        }
        guard (512...4096).contains(configuration.udpPayload) else {
            throw .invalidConfiguration("the UDP payload must be 512–4096 octets")
        }
        guard (512...4096).contains(configuration.largeUDPPayload) else {
            throw .invalidConfiguration("the UDP payload of large answers must be 512–4096 octets")
        }
        guard configuration.tcp.maximumConnections >= 1, configuration.tcp.maximumPerClient >= 1,
            configuration.tcp.idleTimeout > .zero, configuration.tcp.maximumQueries >= 0
        else { throw .invalidConfiguration("TCP limits must be 1 or more") }
        try validate(configuration.defence)
        guard configuration.forwarding.maximumInFlight >= 1, configuration.forwarding.maximumSocketsPerWorker >= 1,
            configuration.forwarding.cache.maximumEntries >= 0,
            configuration.forwarding.upstreams.timeout > .zero
        else { throw .invalidConfiguration("limits of forwarding must be 1 or more, those of the cache 0 or more") }
    }

    /// Opens the sockets if queries are refused until ``start()``, which does it otherwise: for callers who may open
    /// their ports on one thread only. What arrives before the start waits.
    ///
    /// - Throws: ``EngineError/cannotListen(_:transport:reason:)``.
    public func listen() throws(EngineError) {
        try state.withLock { state throws(EngineError) in
            guard !state.isStopped else { return }
            try listen(&state)
        }
    }

    private func listen(_ state: inout State) throws(EngineError) {
        guard !workers[0].isListening else { return }
        state.reservations = []
        try Self.listen(on: localAddresses, state.inherited, workers, longestDatagram)
    }

    /// Makes the workers answer. Publish the whole registry first: nothing may be answered before everything is known.
    ///
    /// - Throws: ``EngineError/resourceExhausted(_:)`` if the system is out of threads or sockets.
    public func start() throws(EngineError) {
        try state.withLock { state throws(EngineError) in
            guard state.threads.isEmpty, !state.isStopped else { return }
            try listen(&state)
            for (index, worker) in workers.enumerated() {
                worker.prepare()
                state.threads.append(try WorkerThread(worker, index: index))
            }
            running.store(true, ordering: .relaxed)
        }
    }

    /// Publishes changes of the zones.
    ///
    /// Blocks, usually for some 50 µs, until every worker answers from the changed zones: after it returns, no answer
    /// comes from the old ones. It costs what changes, not what exists: with ``NameContent/changed(_:)`` only the
    /// changed records, with ``NameContent/records(_:)`` all records of a name.
    ///
    /// - Returns: the generation of the zones, one higher with each call.
    /// - Throws: ``EngineError/invalidName(_:)`` or ``EngineError/invalidRecords(name:)``; nothing has changed then.
    @discardableResult
    public func publish(_ update: ZoneUpdate) throws(EngineError) -> UInt64 {
        try state.withLock { state throws(EngineError) in
            // Keep the old snapshot until the workers have dropped it: the last reference goes here, so no worker frees
            // it.
            let previous = state.builder.snapshot
            try state.builder.apply(update)
            let snapshot = state.builder.snapshot
            guard !state.isStopped else { return snapshot.generation }
            for worker in workers { worker.mailbox.post(snapshot) }
            // Workers that don't run yet start with what is in their mailbox, see Worker.prepare().
            for _ in state.threads { acknowledgements.consume() }
            return withExtendedLifetime(previous) { snapshot.generation }
        }
    }

    /// Changes the upstreams, or the clients that may query names outside the zones, from the next query on. Queries
    /// under way continue as they began; what is known about upstreams that stay is kept.
    public func reconfigure(_ upstreams: UpstreamConfiguration) {
        settings.withLock { settings in
            guard upstreams != settings.configuration else { return }
            settings = ForwardingSettings(upstreams, previous: settings)
            for worker in workers { worker.mailbox.post(settings) }
        }
    }

    /// Sets the networks whose clients get long UDP answers without EDNS, from the next query on.
    public func reconfigure(largeUDPNetworks networks: [IPNetwork]) {
        largeUDPNetworks.withLock { current in
            guard networks != current else { return }
            current = networks
            let clients = LargeUDP(networks: networks, payload: largeUDPPayload)
            for worker in workers { worker.mailbox.post(clients) }
        }
    }

    private static func validate(_ defence: DefenceConfiguration) throws(EngineError) {
        guard let limit = defence.rateLimit else { return }
        guard (1...1_000_000).contains(limit.responsesPerSecond), (0...10).contains(limit.slip) else {
            throw .invalidConfiguration("equal responses a second must be 1–1000000, and every n-th truncated 0–10")
        }
    }

    /// Changes how the engine defends itself, from the next query on. Another rate limit begins anew.
    ///
    /// - Throws: ``EngineError`` if a value is out of range or memory is short; nothing has changed then.
    public func reconfigure(_ configuration: DefenceConfiguration) throws(EngineError) {
        try Self.validate(configuration)
        try defence.withLock { defence throws(EngineError) in
            guard configuration != defence.configuration else { return }
            defence = try DefenceSettings(configuration, previous: defence)
            for worker in workers { worker.mailbox.post(defence) }
        }
    }

    /// The client networks that were above the rate limit since the last call.
    public func takeLimitedNetworks() -> LimitedNetworks {
        defence.withLock { $0.rateLimit?.limited.take() } ?? LimitedNetworks()
    }

    /// The client networks that had a quarter of all questions that may be under way to upstreams, since the last call:
    /// how many of theirs were not asked, or took the place of an older one.
    public func takeCrowdingNetworks() -> LimitedNetworks { forwarding.limited.take() }

    /// Removes upstreams' answers, and failures, from the cache.
    ///
    /// - Parameters:
    ///   - name: in presentation form, with or without a trailing dot; `nil`: all names.
    ///   - subtree: whether to remove names below it too.
    /// - Returns: how many were removed.
    /// - Throws: ``EngineError/invalidName(_:)``.
    public func removeFromCache(_ name: String?, subtree: Bool) throws(EngineError) -> Int {
        var wire: [UInt8]?
        if let name {
            guard let packed = RecordPacker.wireName(name) else { throw .invalidName(name) }
            wire = packed
        }
        return forwarding.cache.remove(wire, subtree: subtree) + forwarding.failures.remove(wire, subtree: subtree)
    }

    /// The sums of what the workers have counted since they started.
    public func statistics() -> EngineStatistics {
        var statistics = EngineStatistics()
        for worker in workers {
            statistics.add(worker.counters)
            worker.histograms.add(to: &statistics.samples)
        }
        statistics[.inFlight] = UInt64(max(forwarding.inFlight, 0))
        let cache = forwarding.cache.statistics
        statistics[.cacheEntries] = cache.entries
        statistics[.cacheBytes] = cache.bytes
        statistics[.cacheEvictions] = cache.evictions
        statistics.upstreams = upstreamStatistics()
        return statistics
    }

    /// What clients have asked. Takes some tenths of a millisecond for each worker, and stops none.
    public func queryStatistics() -> QueryStatistics {
        let now = MonotonicTime.now
        var statistics = QueryStatistics()
        for worker in workers { worker.journal.add(to: &statistics, now: now) }
        return statistics
    }

    /// Asks every worker what it would answer to a client now. Workers answer within milliseconds; they are asked in
    /// turn with queries, and nothing changes.
    ///
    /// - Parameters:
    ///   - name: in wire form.
    ///   - type: the type's number.
    ///   - completion: called once with what each worker would answer, in their order, on any thread. It must not wait.
    ///     It gets nothing if no worker runs, and is never called if the engine stops meanwhile.
    public func inspect(
        _ name: [UInt8], type: UInt16, client: IPAddress?, _ completion: @escaping @Sendable ([Inspection]) -> Void
    ) {
        guard isRunning else { return completion([]) }
        var query: [UInt8] = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name
        query.append(bigEndian: type)
        query.append(bigEndian: RecordClass.internet)
        let request = InspectionRequest(query: query, client: client, count: workers.count, completion: completion)
        for worker in workers { worker.mailbox.post(request) }
    }

    /// How long ago a question could not be answered by any upstream; `nil`: it was, or that was long ago.
    public func failureAge(_ name: [UInt8], type: UInt16) -> Duration? {
        let key = CacheKey(name: name.rawSpan, type: RecordType(rawValue: type), variant: [])
        return forwarding.failures.age(of: key, now: .now)?.duration
    }

    /// Whether queries are answered. Never waits.
    public var isRunning: Bool { running.load(ordering: .relaxed) }

    /// Asks every worker for a sign of life.
    ///
    /// - Returns: how many signs each has given so far; a healthy worker gives one within milliseconds.
    public func requestSignsOfLife() -> [UInt64] {
        for worker in workers { worker.mailbox.requestLook() }
        return workers.map(\.mailbox.lookCount)
    }

    /// The state of the upstreams, in the configured order.
    public func upstreamStatistics() -> [UpstreamStatistics] {
        settings.withLock { $0.upstreams.statistics(now: .now) }
    }

    /// Answers what has been received, closes every socket and ends the workers' threads. From this call on, the kernel
    /// refuses further queries, as at a closed port.
    ///
    /// Takes at most the grace time given to ``init(_:grace:)``, and no time if no client is connected.
    public func stop() {
        state.withLock { state in
            state.isStopped = true
            running.store(false, ordering: .relaxed)
            state.reservations = []
            for worker in workers { worker.mailbox.requestStop() }
            for thread in state.threads { thread.join() }
            state.threads = []
            state.inherited = []
        }
    }
}

extension Responder {
    /// A worker for this configuration.
    init(
        _ configuration: EngineConfiguration, snapshot: ZoneSnapshot, fixed: FixedAnswers, special: SpecialNames,
        settings: ForwardingSettings, defence: DefenceSettings
    ) {
        let rules = AnswerRules(
            snapshot: snapshot, udpPayload: configuration.udpPayload,
            largeUDP: LargeUDP(networks: configuration.largeUDPNetworks, payload: configuration.largeUDPPayload),
            outside: OutsideAccess(settings.access, isOn: settings.isOn), fixed: fixed, special: special,
            addresses: RegistrableAddresses(within: configuration.registrableNetworks))
        self.init(rules: rules, strategy: configuration.strategy, counters: WorkerCounters())
        adopt(defence)
    }
}
