import Engine
import Synchronization

/// What the server knows about itself, beyond the registry.
final class ServerState: Sendable {
    /// The program's version.
    let version: String
    private let startedAt: ContinuousClock.Instant
    private let ready = Atomic(false)
    private let engineStatistics: @Sendable () -> EngineStatistics
    private let serverCertificate: @Sendable () -> CertificateSummary?

    /// The state at the start.
    ///
    /// - Parameters:
    ///   - certificate: what new connections are shown; `nil`: they don't speak TLS.
    ///   - statistics: reads the engine's counters.
    init(
        version: String, startedAt: ContinuousClock.Instant,
        certificate: @escaping @Sendable () -> CertificateSummary? = { nil },
        statistics: @escaping @Sendable () -> EngineStatistics
    ) {
        self.version = version
        self.startedAt = startedAt
        engineStatistics = statistics
        serverCertificate = certificate
    }

    /// Whether DNS answers from a loaded registry.
    var isReady: Bool {
        get { ready.load(ordering: .acquiring) }
        set { ready.store(newValue, ordering: .releasing) }
    }

    /// The engine's counters.
    var statistics: EngineStatistics { engineStatistics() }

    /// The certificate of the REST API, if it speaks TLS.
    var certificate: CertificateSummary? { serverCertificate() }

    /// Whole seconds since the start.
    func uptimeSeconds(now: ContinuousClock.Instant) -> Int64 {
        startedAt.duration(to: now).components.seconds
    }
}
