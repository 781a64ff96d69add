import Engine
import Logging
import ServiceLifecycle

/// Writes the last queries once the engine has stopped.
struct QueryLogService: Service {
    let log: QueryLogWriter

    func run() async throws {
        // This returns on shutdown, or throws if another service has failed.
        try? await gracefulShutdown()
        log.finish()
    }
}

extension QueryLogWriter {
    /// Logs as configured from now on, and tells of it.
    ///
    /// - Parameter target: what ``LoadedConfiguration/queryLogTarget()`` says.
    func adopt(_ target: Target?, _ settings: Configuration.QueryLog, of engine: Engine, _ logger: Logger) {
        guard let target else {
            // No query is put aside that nobody takes.
            let wasOn = engine.queryLogShare > 0
            engine.reconfigure(queryLogShare: 0)
            adopt(nil) { if wasOn { logger.info("queries are not logged any more") } }
            return
        }
        engine.reconfigure(queryLogShare: settings.sample)
        // Whoever reads this may take the old file away: nothing is written there any more.
        adopt(target) {
            var metadata: Logger.Metadata = ["sample": "\(settings.sample.shortDescription)"]
            if case .file(let file) = target { metadata["file"] = "\(file.path)" }
            logger.info("queries are logged", metadata: metadata)
        }
    }
}
