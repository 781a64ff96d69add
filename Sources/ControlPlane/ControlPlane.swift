import Engine
public import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Runs the server (DNS and the REST API) until SIGTERM or SIGINT.
///
/// Nothing answers before the registry is loaded. If a part can't start, none is left running.
///
/// - Parameters:
///   - loaded: the configuration, which SIGHUP reads again.
///   - version: the program's version, for the status and metrics.
///   - environment: what the process was started with: the sockets passed to it, and where to report its state.
///   - logger: where log lines go.
/// - Throws: ``ConfigurationError`` if something is wrong with the files of `server.tls` or of tokens, or
///   ``StartError`` or another error with a one-line description if the server can't start.
public func serve(
    _ loaded: LoadedConfiguration, version: String, environment: ProcessEnvironment, logger: Logger
) async throws {
    let configuration = loaded.configuration
    let startedAt = ContinuousClock.now
    let privileges = Privileges(
        try loaded.account(), opensPortsLater: configuration.storage.type == .etcd, logger)
    let coreCount = ProcessorCount.available
    // At least two, even on one core: one takes in the requests of the next group while the other waits for a commit.
    NIOSingletons.groupLoopCountSuggestion = max(coreCount, 2)
    let limit = DescriptorLimit.raise()
    EventLibraryLog.handle { isError, text in
        logger.log(level: isError ? .error : .warning, "libevent", metadata: ["text": "\(text)"])
        // libevent may end the process next.
        if isError { LogOutput.standardError.flush() }
    }
    let manager = ServiceManager(environment: environment)
    let sockets = try openSockets(
        configuration, environment, manager, coreCount: coreCount, isLeavingRoot: privileges != nil, logger)
    let budget = try DescriptorBudget(
        configuration, limit: limit, coreCount: coreCount, passedSockets: sockets.dns.count + sockets.rest.count)
    let engine = try makeEngine(configuration, budget, sockets, coreCount: coreCount)
    do {
        try privileges?.drop()
        // What is read from here on can be read again on SIGHUP, and what is written belongs to the same user.
        if privileges != nil { loaded.warnOfUnreadableFile(logger) }
        let identity = try loaded.serverIdentity()
        let tokens = try loaded.tokensFile()
        let queryLog = QueryLogWriter(logger: logger) { engine.takeQueries($0) }
        queryLog.adopt(try loaded.queryLogTarget(), configuration.queryLog, of: engine, logger)
        let server = PreparedServer(
            loaded: loaded, version: version, startedAt: startedAt, privileges: privileges, manager: manager,
            sockets: sockets, budget: budget, engine: engine, identity: identity, tokens: tokens, queryLog: queryLog,
            logger: logger)
        try await server.run()
    } catch {
        engine.stop()
        throw error
    }
    logger.info("stopped")
}

/// What a server has before it knows the registry: its sockets are open, and it has given up root.
private struct PreparedServer {
    let loaded: LoadedConfiguration
    let version: String
    let startedAt: ContinuousClock.Instant
    let privileges: Privileges?
    let manager: ServiceManager
    let sockets: PassedSockets
    let budget: DescriptorBudget
    let engine: Engine
    let identity: ServerIdentity?
    let tokens: TokensFile?
    let queryLog: QueryLogWriter
    let logger: Logger

    private var configuration: Configuration { loaded.configuration }

    /// Loads the registry and serves, until a signal or a part of it ends it.
    func run() async throws {
        let registry = Registry(
            store: try makeStore(configuration, logger),
            publisher: ZonePublisher(
                sink: engine, policy: RecordPolicy(configuration.dns), reverse: ReverseNames(configuration.dns)),
            limits: configuration.registry,
            cleanupInterval: configuration.heartbeat.cleanupInterval,
            massExpiryBrake: configuration.heartbeat.massExpiryBrake,
            feed: ChangeFeed(ChangeFeed.Limits(readers: budget.changeReaders)),
            logger: logger
        )
        if configuration.storage.type != .etcd {
            // Listen only once the stored instances are known to be readable; etcd is the exception, since it may take
            // long.
            do throws(StoreUnavailable) {
                try await registry.load()
            } catch {
                throw StartError("storage.\(configuration.storage.type): \(error.reason)")
            }
        }
        let health = try HealthChecks(
            Checker.Settings(configuration, budget: budget), registry: registry, logger: logger)
        let listener = SecureListener(identity, logger: logger)
        let state = ServerState(
            version: version, startedAt: startedAt, listener: listener,
            queries: {
                let counts = queryLog.counts
                return QueryLogFigures(written: counts.written, dropped: counts.lost &+ engine.droppedQueries)
            },
            statistics: { engine.statistics() })
        let access = AccessControl(logger: logger)
        access.adopt(tokens)
        let limiter = RequestLimiter(logger: logger)
        limiter.requestsPerSecond = configuration.server.rateLimit.requestsPerSecond
        let handler = APIHandler(
            endpoints: CountedEndpoints(.server),
            registry: registry,
            decoder: RegistrationDecoder(
                defaults: InstanceDefaults(configuration),
                addresses: RegistrableAddresses(within: configuration.registry.networks)),
            state: state,
            cache: engine,
            time: .system,
            checks: health,
            dns: engine,
            hasServiceMetrics: configuration.metrics.perService,
            origin: RequestOrigin(configuration.server, machineName: MachineName.current),
            access: access,
            limiter: limiter,
            spoolFolders: configuration.spoolFolders
        )
        let (listening, listens) = AsyncStream.makeStream(of: Never.self)
        let http = try HTTPService(
            address: configuration.server.listen.address,
            port: configuration.server.listen.port,
            socket: sockets.rest.first,
            maximumConnections: budget.restConnections,
            maximumPerClient: configuration.server.maximumPerClient,
            responder: HTTPResponder(handler: handler, date: HTTPDate()),
            listener: listener,
            logger: logger
        ) { port in
            var address = configuration.server.listen
            address.port = UInt16(clamping: port)
            budget.log(logger)
            let scheme = listener.identity == nil ? "http" : "https"
            logger.info("REST API listens", metadata: ["address": "\(address)", "scheme": "\(scheme)"])
            if let identity = listener.identity { listener.tell(of: identity, logger) }
            loaded.warnOfPlainHTTP(logger)
            loaded.warnOfAccess(tokens, logger)
            loaded.warnOfOpenResolver(logger)
            if configuration.storage.type == .memory {
                logger.warning("storage.type is memory: all instances are forgotten when the server stops")
            }
            listens.finish()
        }
        // They stop in reverse order: requests end first, then changes, and DNS last.
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    QueryLogService(log: queryLog),
                    EngineService(engine: engine),
                    RegistryService(registry: registry, listening: listening) { () throws(StartError) in
                        health.begin()
                        try startDNS()
                        state.isReady = true
                        logger.info("ready")
                        manager.tellReady()
                    },
                    health,
                    ReloadService(
                        loaded: loaded, listener: listener, access: access, limiter: limiter, queryLog: queryLog,
                        engine: engine,
                        manager: manager, logger: logger),
                    CertificateWatchService(listener: listener, logger: logger),
                    UpstreamWatchService(engine: engine, logger: logger),
                    ClientLimitWatchService(engine: engine, logger: logger),
                    StatusService(output: .standardError) { handler.statusText },
                    http,
                    SupervisionService(manager: manager, engine: engine, logger: logger),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger.quiet
            )
        )
        try await group.run()
    }

    private func startDNS() throws(StartError) {
        do throws(EngineError) {
            try privileges?.openPorts { () throws(EngineError) in try engine.listen() }
            try engine.start()
        } catch {
            throw StartError("dns: \(error)")
        }
        for address in engine.localAddresses {
            logger.info("DNS listens", metadata: ["address": "\(address)", "domain": "\(configuration.dns.domain)"])
        }
    }
}

private func makeStore(_ configuration: Configuration, _ logger: Logger) throws(StartError) -> any Store {
    let storage = configuration.storage
    do throws(StoreUnavailable) {
        switch storage.type {
        case .memory:
            return MemoryStore()
        case .sqlite:
            return try SQLiteStore(path: storage.sqlite.path, logger: logger)
        case .etcd:
            return try EtcdStore(storage.etcd, logger: logger)
        }
    } catch {
        throw StartError("storage.\(storage.type): \(error.reason)")
    }
}

/// Collects the sockets passed to this process. Opens the missing ones if a service manager keeps them, and that of the
/// REST API if only root may.
private func openSockets(
    _ configuration: Configuration, _ environment: ProcessEnvironment, _ manager: ServiceManager,
    coreCount: Int, isLeavingRoot: Bool, _ logger: Logger
) throws(StartError) -> PassedSockets {
    var sockets = try PassedSockets(environment)
    var hasUnconfigured = false
    for socket in sockets.removeUnconfigured(configuration) {
        hasUnconfigured = true
        logger.warning(
            "a passed socket is closed: nothing is to listen there by the configuration",
            metadata: ["address": "\(socket.address)", "transport": "\(socket.transport.rawValue)"])
    }
    if manager.storeCapacity > 0 {
        // Otherwise their ports would stay bound and accept clients that nobody answers.
        if hasUnconfigured { manager.forgetSockets() }
        try sockets.openMissing(configuration, workers: configuration.dns.workerCount(coreCount: coreCount))
    }
    if isLeavingRoot, configuration.server.listen.port < PassedSockets.firstOpenPort {
        try sockets.openMissingREST(configuration)
    }
    manager.keep(sockets)
    return sockets
}

private func makeEngine(
    _ configuration: Configuration, _ budget: DescriptorBudget, _ sockets: PassedSockets, coreCount: Int
) throws -> Engine {
    let engineConfiguration = EngineConfiguration(
        configuration,
        coreCount: coreCount,
        interfaces: try MachineAddresses.current(),
        budget: budget
    )
    do throws(EngineError) {
        // Queries wait while a file is loaded. etcd may take any time, so clients are refused and can ask elsewhere.
        return try Engine(
            engineConfiguration, inherited: sockets.dns, refusesUntilStart: configuration.storage.type == .etcd)
    } catch {
        guard case .cannotListen = error else { throw StartError("dns: \(error)") }
        throw StartError("dns.listen: \(error)")
    }
}
