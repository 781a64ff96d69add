import Engine
import ServiceLifecycle

/// Ends the data plane after everything else has ended.
struct EngineService: Service {
    let engine: Engine

    func run() async throws {
        // Ends with the shutdown, or with an error when another service has failed: either way it is time to stop.
        try? await gracefulShutdown()
        engine.stop()
    }
}
