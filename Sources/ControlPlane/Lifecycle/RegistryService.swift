import ServiceLifecycle

/// Loads the registry, unless it is, and makes its changes until the server stops, those that were taken before
/// included.
struct RegistryService: Service {
    let registry: Registry
    /// Ends when the REST API listens: a server that can't start answers nothing.
    let listening: AsyncStream<Never>
    /// Is called when everything that is stored is here.
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
