import Engine
import ServiceLifecycle

/// Stops the engine after everything else has ended.
struct EngineService: Service {
    let engine: Engine

    func run() async throws {
        // This returns on shutdown, or throws if another service has failed. In both cases the engine must stop.
        try? await gracefulShutdown()
        engine.stop()
    }
}
