import Engine
import Synchronization

/// What the server knows about itself, beyond the registry.
final class ServerState: Sendable {
    /// The program's version.
    let version: String
    private let startedAt: ContinuousClock.Instant
    private let ready = Atomic(false)
    private let engineStatistics: @Sendable () -> EngineStatistics

    /// The state at the start.
    ///
    /// - Parameter statistics: reads the engine's counters.
    init(version: String, startedAt: ContinuousClock.Instant, statistics: @escaping @Sendable () -> EngineStatistics) {
        self.version = version
        self.startedAt = startedAt
        engineStatistics = statistics
    }

    /// Whether DNS answers from a loaded registry.
    var isReady: Bool {
        get { ready.load(ordering: .acquiring) }
        set { ready.store(newValue, ordering: .releasing) }
    }

    /// The engine's counters.
    var statistics: EngineStatistics { engineStatistics() }

    /// Whole seconds since the start.
    func uptimeSeconds(now: ContinuousClock.Instant) -> Int64 {
        startedAt.duration(to: now).components.seconds
    }
}
