/// Judges whether the watch reports what it should. Pure.
///
/// A connection may be dead without any sign: a balancer or proxy accepts what is sent and goes on acknowledging. Every
/// answer of etcd has its present revision. If the watch stays behind that, either keys outside this project have
/// changed, or the watch is dead. So a key of this project is written, which the watch must report.
struct EtcdWatchProgress: Sendable {
    /// How long a watch that is behind may be silent before it is tested.
    static let silence = Duration.seconds(1)
    /// How long before it counts as dead.
    static let patience = Duration.seconds(4)

    enum Step: Sendable, Equatable {
        case goOn
        /// Write something that the watch must report.
        case test
        /// Begin a new watch.
        case startAnew
    }

    /// How far the watch has reported, and when it last reported something.
    private var told: (revision: Int64, at: ContinuousClock.Instant)
    /// Since when it is behind; `nil`: it is not.
    private var behindSince: ContinuousClock.Instant?
    private var isTested = false

    /// - Parameter revision: the revision that it begins after.
    init(revision: Int64, now: ContinuousClock.Instant) {
        told = (revision, now)
    }

    /// Judges the watch after an answer of etcd.
    ///
    /// - Parameters:
    ///   - revision: the revision of the answer.
    ///   - watched: the revision up to which the watch has reported everything.
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
