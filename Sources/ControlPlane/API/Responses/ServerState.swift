import Engine
import Synchronization

/// What the server knows about itself, beyond the registry.
final class ServerState: Sendable {
    /// The program's version.
    let version: String
    private let startedAt: ContinuousClock.Instant
    private let ready = Atomic(false)
    private let engineStatistics: @Sendable () -> EngineStatistics
    private let queryLogFigures: @Sendable () -> QueryLogFigures
    private let listener: SecureListener?

    /// The state at the start.
    ///
    /// - Parameters:
    ///   - listener: what new connections are shown; `nil`: they never speak TLS.
    ///   - queries: what became of the query log's queries.
    ///   - statistics: reads the engine's counters.
    init(
        version: String, startedAt: ContinuousClock.Instant, listener: SecureListener? = nil,
        queries: @escaping @Sendable () -> QueryLogFigures = { QueryLogFigures() },
        statistics: @escaping @Sendable () -> EngineStatistics
    ) {
        self.version = version
        self.startedAt = startedAt
        engineStatistics = statistics
        queryLogFigures = queries
        self.listener = listener
    }

    /// Whether DNS answers from a loaded registry.
    var isReady: Bool {
        get { ready.load(ordering: .acquiring) }
        set { ready.store(newValue, ordering: .releasing) }
    }

    /// The engine's counters.
    var statistics: EngineStatistics { engineStatistics() }

    /// What became of the queries for the query log.
    var queryLog: QueryLogFigures { queryLogFigures() }

    /// The certificate of the REST API, if it speaks TLS.
    var certificate: CertificateSummary? { listener?.identity?.certificate }

    /// The last second in which all authorities of clients' certificates are valid; `nil`: clients need none.
    var authoritiesNotAfter: WallTime? { listener?.identity?.authoritiesNotAfter }

    /// How many connections had no TLS session since the start, by why.
    var handshakeFailures: [HandshakeFailure.Kind: UInt64] { listener?.handshakeFailures ?? [:] }

    /// Whole seconds since the start.
    func uptimeSeconds(now: ContinuousClock.Instant) -> Int64 {
        startedAt.duration(to: now).components.seconds
    }
}
