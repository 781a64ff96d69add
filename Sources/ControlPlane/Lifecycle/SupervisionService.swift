import Engine
import Logging
import ServiceLifecycle
import Synchronization

/// Tells the service manager that the server is alive, as long as every DNS worker responds, and when it stops.
struct SupervisionService: Service {
    let manager: ServiceManager
    let engine: Engine
    let logger: Logger

    func run() async throws {
        let endWatch = manager.watchdogInterval.map { watch(every: $0) }
        try? await gracefulShutdown()
        endWatch?()
        manager.tellStopping()
    }

    /// - Returns: a closure that ends it.
    private func watch(every interval: Duration) -> @Sendable () -> Void {
        manager.tellAlive()
        let before = Mutex(engine.requestSignsOfLife())
        return EventLoopTimers.shared.every(interval, after: interval) {
            let now = engine.requestSignsOfLife()
            let isAlive = before.withLock { before in
                defer { before = now }
                // Before DNS starts no worker responds, which is not a fault.
                return !engine.isRunning || zip(before, now).allSatisfy { $0 < $1 }
            }
            if isAlive {
                manager.tellAlive()
            } else {
                logger.critical("a DNS worker does not respond: the service manager is not told that the server lives")
            }
        }
    }
}
