import Synchronization

/// Origins whose kept connections are not to be used again, from any thread: a request that was sent on one was not
/// answered in time, or by a server that can't. A balancer, or a firewall that has forgotten a connection, takes what
/// is sent and leads it nowhere, and no keepalive probe of TCP finds out.
final class DistrustedOrigins: Sendable {
    /// After this long libcurl uses no idle connection again anyway: it would be older than CURLOPT_MAXAGE_CONN.
    private static let memory = Duration.seconds(120)
    /// Origins that are remembered.
    private static let maximumCount = 1024

    private let distrusted = Mutex<[String: ContinuousClock.Instant]>([:])

    /// Connections to an origin that were made before now are not to be used again.
    func insert(_ origin: String, now: ContinuousClock.Instant = .now) {
        distrusted.withLock { distrusted in
            if distrusted[origin] == nil, distrusted.count >= Self.maximumCount {
                distrusted = distrusted.filter { $0.value.duration(to: now) < Self.memory }
                if distrusted.count >= Self.maximumCount { return }
            }
            distrusted[origin] = now
        }
    }

    /// How long ago an origin's connections were distrusted; `nil`: all may be used.
    func age(_ origin: String, now: ContinuousClock.Instant = .now) -> Duration? {
        distrusted.withLock { distrusted in
            guard let age = distrusted[origin]?.duration(to: now) else { return nil }
            if age < Self.memory { return age }
            distrusted[origin] = nil
            return nil
        }
    }
}
