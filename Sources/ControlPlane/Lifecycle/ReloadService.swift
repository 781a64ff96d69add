import Engine
import Logging
import ServiceLifecycle
import UnixSignals

/// Reads the configuration again on SIGHUP.
struct ReloadService: Service {
    let loaded: LoadedConfiguration
    let listener: SecureListener
    let access: AccessControl
    let limiter: RequestLimiter
    let queryLog: QueryLogWriter
    let engine: Engine
    let manager: ServiceManager
    let logger: Logger

    func run() async throws {
        let started = loaded
        var current = loaded
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            // A server that did not answer yet is not ready after a reload either.
            let isReady = engine.isRunning
            if isReady { manager.tellReloading() }
            if let new = reload(since: started) { current = new }
            reloadCertificate(current)
            // A wrong configuration must not keep a token that is to go.
            reloadTokens(current)
            reopenQueryLog(current)
            if isReady { manager.tellReady() }
        }
    }

    /// - Returns: the new configuration; `nil`: something is wrong with it.
    private func reload(since started: LoadedConfiguration) -> LoadedConfiguration? {
        do throws(ConfigurationError) {
            let new = try started.reloaded()
            LogOutput.standardError.apply(new.configuration.log)
            limiter.requestsPerSecond = new.configuration.server.rateLimit.requestsPerSecond
            engine.reconfigure(UpstreamConfiguration(new.configuration.dns))
            engine.reconfigure(largeUDPNetworks: new.configuration.dns.largeUDP.networks)
            reloadDefence(new)
            logger.info("configuration reloaded")
            new.warnOfOpenResolver(logger)
            for key in new.keysAwaitingRestart(since: started) {
                logger.warning("a changed key needs a restart", metadata: ["key": "\(key)"])
            }
            return new
        } catch {
            for problem in error.problems {
                logger.error("configuration not reloaded", metadata: ["problem": "\(problem)"])
            }
            return nil
        }
    }

    private func reloadDefence(_ new: LoadedConfiguration) {
        do throws(EngineError) {
            try engine.reconfigure(DefenceConfiguration(new.configuration.dns))
        } catch {
            logger.error("dns.rate_limit not reloaded: the old one holds", metadata: ["problem": "\(error)"])
        }
    }

    private func reloadCertificate(_ current: LoadedConfiguration) {
        do throws(ConfigurationError) {
            let new = try current.serverIdentity()
            if let new, new.certificate.isOver(at: .now), listener.identity?.certificate.isOver(at: .now) == false {
                let reason = new.warnings.joined(separator: "; ")
                return logger.error("certificate not reloaded: the old one stays", metadata: ["problem": "\(reason)"])
            }
            listener.adopt(new, logger)
        } catch {
            for problem in error.problems {
                logger.error("certificate not reloaded: the old one stays", metadata: ["problem": "\(problem)"])
            }
        }
    }

    /// Opens the file again even if nothing has changed: it may have been renamed to begin a new one.
    private func reopenQueryLog(_ current: LoadedConfiguration) {
        do throws(ConfigurationError) {
            queryLog.adopt(try current.queryLogTarget(), current.configuration.queryLog, of: engine, logger)
        } catch {
            for problem in error.problems {
                logger.error("query log not reopened: the old one goes on", metadata: ["problem": "\(problem)"])
            }
        }
    }

    private func reloadTokens(_ current: LoadedConfiguration) {
        do throws(ConfigurationError) {
            let file = try current.tokensFile()
            if file == nil, !access.isRequired { return }
            access.adopt(file)
            if let file {
                logger.info("tokens reloaded", metadata: ["count": "\(file.tokens.count)"])
            } else {
                logger.warning("tokens are not needed any more: server.tokens_file is empty")
            }
            current.warnOfAccess(file, logger)
        } catch {
            for problem in error.problems {
                logger.error("tokens not reloaded: the old ones hold", metadata: ["problem": "\(problem)"])
            }
        }
    }
}
