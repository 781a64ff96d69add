import ServiceLifecycle

/// Loads the registry unless it is loaded, and then carries out changes until the server stops, including those that
/// are still waiting.
struct RegistryService: Service {
    let registry: Registry
    /// Ends once the REST API listens: a server that can't start must not answer.
    let listening: AsyncStream<Never>
    /// Is called when all stored instances are loaded.
    let onLoaded: @Sendable () throws(StartError) -> Void

    func run() async throws {
        try await withTaskCancellationOrGracefulShutdownHandler {
            for await _ in listening.cancelOnGracefulShutdown() {}
            do {
                if !registry.isLoaded { try await cancelWhenGracefulShutdown { try await registry.load() } }
            } catch let error as StoreUnavailable {
                if Task.isCancelled || Task.isShuttingDownGracefully { return }
                throw StartError("storage: \(error.reason)")
            }
            if Task.isCancelled || Task.isShuttingDownGracefully { return }
            try onLoaded()
            await registry.run()
        } onCancelOrGracefulShutdown: {
            registry.stop()
        }
    }
}
