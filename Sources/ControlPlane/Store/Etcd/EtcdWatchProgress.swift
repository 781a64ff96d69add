/// Whether the watch tells what it should: pure.
///
/// A connection may be dead though nothing says so: a balancer or proxy takes what is sent and goes on acknowledging.
/// Every answer of etcd tells the revision that it is at. When the watch stays behind that, either somebody else's keys
/// were changed, or it tells nothing any more: a key of this project's is written then, of which it must tell.
struct EtcdWatchProgress: Sendable {
    /// How long a watch may be silent that is behind, until it is put to the test.
    static let silence = Duration.seconds(1)
    /// How long until it is taken for dead.
    static let patience = Duration.seconds(4)

    enum Step: Sendable, Equatable {
        case goOn
        /// Write something that it must tell of.
        case test
        /// Make it anew.
        case startAnew
    }

    /// How far the watch has told, and when it has told something last.
    private var told: (revision: Int64, at: ContinuousClock.Instant)
    /// Since when it is behind; `nil`: it is not.
    private var behindSince: ContinuousClock.Instant?
    private var isTested = false

    /// - Parameter revision: from which it begins.
    init(revision: Int64, now: ContinuousClock.Instant) {
        told = (revision, now)
    }

    /// Etcd has answered.
    ///
    /// - Parameters:
    ///   - revision: that it was at.
    ///   - watched: up to which the watch has told everything.
    mutating func look(revision: Int64, watched: Int64, now: ContinuousClock.Instant) -> Step {
        if watched != told.revision {
            told = (watched, now)
            isTested = false
        }
        guard revision > watched else {
            behindSince = nil
            isTested = false
            return .goOn
        }
        let since = behindSince ?? now
        behindSince = since
        let silence = max(since, told.at).duration(to: now)
        if silence >= Self.patience { return .startAnew }
        guard silence >= Self.silence, !isTested else { return .goOn }
        isTested = true
        return .test
    }
}
