import ServiceLifecycle

/// Makes the registry's changes until the server stops, those that were taken before included.
struct RegistryService: Service {
    let registry: Registry

    func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await registry.run()
        } onCancelOrGracefulShutdown: {
            registry.stop()
        }
    }
}
