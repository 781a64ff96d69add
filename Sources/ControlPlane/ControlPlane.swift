import Engine
public import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Runs the server: DNS and the REST API, until SIGTERM or SIGINT.
///
/// Nothing answers before the registry is loaded; when something can't start, nothing stays started.
///
/// - Parameters:
///   - loaded: the configuration, which SIGHUP reads again.
///   - logger: where log lines go.
/// - Throws: ``StartError`` or another error with a description of one line when the server can't start.
public func serve(_ loaded: LoadedConfiguration, logger: Logger) async throws {
    let configuration = loaded.configuration
    let startedAt = ContinuousClock.now
    let engine = try makeEngine(configuration)
    let registry = Registry(
        store: MemoryStore(),
        publisher: ZonePublisher(sink: engine, policy: RecordPolicy(configuration.dns)),
        cleanupInterval: configuration.heartbeat.cleanupInterval,
        logger: logger
    )
    let state = ServerState(version: Version.current, startedAt: startedAt) { engine.statistics() }
    let startError = Mutex<StartError?>(nil)
    let group: ServiceGroup
    do {
        try await registry.load()
        let handler = APIHandler(
            registry: registry,
            decoder: RegistrationDecoder(defaults: InstanceDefaults(configuration)),
            state: state,
            cache: engine,
            time: .system
        )
        let http = try HTTPService(
            address: configuration.server.listen.address,
            port: configuration.server.listen.port,
            responder: HTTPResponder(handler: handler, date: HTTPDate()),
            logger: logger
        ) { port in
            do throws(EngineError) {
                try engine.start()
            } catch {
                startError.withLock { $0 = StartError("dns: \(error)") }
                return false
            }
            state.isReady = true
            logListeners(engine, configuration, port: port, logger)
            return true
        }
        // Stopped in reverse: first no more requests, then no more changes, DNS last.
        group = ServiceGroup(
            configuration: .init(
                services: [
                    EngineService(engine: engine),
                    RegistryService(registry: registry),
                    ReloadService(loaded: loaded, engine: engine, logger: logger),
                    http,
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger.quiet
            )
        )
    } catch {
        engine.stop()
        throw error
    }
    do {
        try await group.run()
    } catch {
        throw startError.withLock { $0 } ?? error
    }
    if let error = startError.withLock({ $0 }) { throw error }
    logger.info("stopped")
}

private func logListeners(_ engine: Engine, _ configuration: Configuration, port: Int, _ logger: Logger) {
    if configuration.storage.type == .memory {
        logger.warning("storage.type is memory: all instances are forgotten when the server stops")
    }
    for address in engine.localAddresses {
        logger.info("DNS listens", metadata: ["address": "\(address)", "domain": "\(configuration.dns.domain)"])
    }
    var address = configuration.server.listen
    address.port = UInt16(clamping: port)
    logger.info("REST API listens", metadata: ["address": "\(address)"])
}

private func makeEngine(_ configuration: Configuration) throws -> Engine {
    let engineConfiguration = EngineConfiguration(
        configuration.dns,
        coreCount: System.coreCount,
        interfaces: try NameServerAddresses.interfaces()
    )
    do throws(EngineError) {
        return try Engine(engineConfiguration)
    } catch {
        guard case .cannotListen = error else { throw StartError("dns: \(error)") }
        throw StartError("dns.listen: \(error)")
    }
}

extension Logger {
    /// The same without what libraries tell of their starts and stops at info, which is said better here.
    var quiet: Logger {
        var logger = self
        logger.logLevel = max(logLevel, .warning)
        return logger
    }
}
