import Synchronization

/// The data plane: answers DNS queries from the zone that was published last.
///
/// ``publish(_:)``, ``start()`` and ``stop()`` may come from any thread; they wait for each other.
public final class Engine: Sendable {
    /// Workers at most.
    public static let maximumWorkers = 256

    /// The addresses that are listened on, with the ports that the system chose where 0 was asked for.
    public let localAddresses: [SocketAddress]

    private let workers: [Worker]
    private let acknowledgements: WakeSignal
    private let state: Mutex<State>

    private struct State {
        var builder: ZoneBuilder
        var threads: [WorkerThread] = []
        var isStopped = false
    }

    /// Binds all sockets and prepares the workers; answers nothing yet.
    ///
    /// - Parameters:
    ///   - configuration: what to serve, where.
    ///   - grace: how long ``stop()`` lets TCP clients receive what they asked for.
    /// - Throws: ``EngineError`` when a value is out of range or a socket can't be bound; nothing stays open then.
    public init(_ configuration: EngineConfiguration, grace: Duration = .seconds(2))
        throws(EngineError)
    {
        try Self.validate(configuration)
        let builder = try ZoneBuilder(configuration.zone, strategy: configuration.strategy)
        let chaos = try ChaosAnswer(version: configuration.version, ttl: configuration.zone.ttl)
        let acknowledgements = try WakeSignal(blocking: true)
        let connectionCount = TCPConnectionCount(limits: configuration.tcp)
        var addresses: [SocketAddress] = []
        for address in configuration.listen { addresses.append(try ListeningSocket.reserve(address)) }
        var workers: [Worker] = []
        for _ in 0..<configuration.workers {
            let worker = try Worker(
                configuration: configuration, snapshot: builder.snapshot, chaos: chaos,
                acknowledgements: acknowledgements, connectionCount: connectionCount, grace: grace)
            for address in addresses {
                try worker.listen(
                    on: ListeningSocket.openPair(address), address: address.address,
                    replyBytes: configuration.udpPayload)
            }
            workers.append(worker)
        }
        localAddresses = addresses
        self.workers = workers
        self.acknowledgements = acknowledgements
        state = Mutex(State(builder: builder))
    }

    private static func validate(_ configuration: EngineConfiguration) throws(EngineError) {
        guard (1...maximumWorkers).contains(configuration.workers) else {
            throw .invalidConfiguration("workers must be 1–\(maximumWorkers)")
        }
        guard (512...4096).contains(configuration.udpPayload) else {
            throw .invalidConfiguration("the UDP payload must be 512–4096 octets")
        }
        guard configuration.tcp.maximumConnections >= 1, configuration.tcp.maximumPerClient >= 1,
            configuration.tcp.idleTimeout > .zero, configuration.tcp.maximumQueries >= 0
        else { throw .invalidConfiguration("TCP limits must be 1 or more") }
    }

    /// Lets the workers answer. Publish the whole registry first: nothing must be answered before it is known.
    ///
    /// - Throws: ``EngineError/resourceExhausted(_:)`` when the system gives no more threads.
    public func start() throws(EngineError) {
        try state.withLock { state throws(EngineError) in
            guard state.threads.isEmpty, !state.isStopped else { return }
            for (index, worker) in workers.enumerated() {
                worker.prepare()
                state.threads.append(try WorkerThread(worker, index: index))
            }
        }
    }

    /// Puts changes into the zone.
    ///
    /// Blocks, usually some 50 µs, until every worker answers from the changed zone: when it returns, no answer
    /// comes from the old one. Costs what changes, not what exists.
    ///
    /// - Returns: the zone's generation, one higher with each call.
    /// - Throws: ``EngineError/invalidName(_:)`` or ``EngineError/invalidRecords(name:)``; nothing has changed then.
    @discardableResult
    public func publish(_ update: ZoneUpdate) throws(EngineError) -> UInt64 {
        try state.withLock { state throws(EngineError) in
            // The workers drop their references to this one; the last goes here, so that it is not freed by a worker.
            let previous = state.builder.snapshot
            try state.builder.apply(update)
            let snapshot = state.builder.snapshot
            guard !state.isStopped else { return snapshot.generation }
            for worker in workers { worker.mailbox.post(snapshot) }
            // Workers that don't run yet begin with what is in their mailbox, see Worker.prepare().
            for _ in state.threads { acknowledgements.consume() }
            return withExtendedLifetime(previous) { snapshot.generation }
        }
    }

    /// What the workers have counted since they started.
    public func statistics() -> EngineStatistics {
        var statistics = EngineStatistics()
        for worker in workers { statistics.add(worker.counters) }
        return statistics
    }

    /// Answers what was received, closes every socket and ends the workers' threads.
    ///
    /// Takes no longer than the grace given to ``init(_:grace:)``, and no time when no client is connected.
    public func stop() {
        state.withLock { state in
            state.isStopped = true
            for worker in workers { worker.mailbox.requestStop() }
            for thread in state.threads { thread.join() }
            state.threads = []
        }
    }
}
