import Engine
import Logging
import ServiceLifecycle
import UnixSignals

/// Reads the configuration again on SIGHUP.
struct ReloadService: Service {
    let loaded: LoadedConfiguration
    let engine: Engine
    let manager: ServiceManager
    let logger: Logger

    func run() async throws {
        let started = loaded
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            // A server that did not answer yet is not ready after a reload either.
            let isReady = engine.isRunning
            if isReady { manager.tellReloading() }
            reload(since: started)
            if isReady { manager.tellReady() }
        }
    }

    private func reload(since started: LoadedConfiguration) {
        do throws(ConfigurationError) {
            let new = try started.reloaded()
            LogOutput.standardError.apply(new.configuration.log)
            engine.reconfigure(UpstreamConfiguration(new.configuration.dns))
            engine.reconfigure(largeUDPNetworks: new.configuration.dns.largeUDP.networks)
            logger.info("configuration reloaded")
            for key in new.keysAwaitingRestart(since: started) {
                logger.warning("a changed key needs a restart", metadata: ["key": "\(key)"])
            }
        } catch {
            for problem in error.problems {
                logger.error("configuration not reloaded", metadata: ["problem": "\(problem)"])
            }
        }
    }
}
