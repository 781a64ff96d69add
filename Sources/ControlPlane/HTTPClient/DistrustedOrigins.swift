import Synchronization

/// Origins whose kept connections must not be used again, because a request on one of them was not answered in time or
/// the server could not handle it. A balancer, or a firewall that has forgotten a connection, may accept octets and
/// lead them nowhere, and TCP's keepalive probes do not notice. Usable from any thread.
final class DistrustedOrigins: Sendable {
    /// After this long libcurl reuses no idle connection anyway: it would be older than CURLOPT_MAXAGE_CONN.
    private static let memory = Duration.seconds(120)
    /// The most origins that are remembered.
    private static let maximumCount = 1024

    private let distrusted = Mutex<[String: ContinuousClock.Instant]>([:])

    /// Distrusts the connections to an origin that were made before now.
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
