/// What a node knows about etcd itself, and the news that has come from there: whether etcd answers, where in its
/// history this node is, and how the watch is doing.
///
/// Pure: the tasks that call etcd report the results, and are told what to do next.
struct EtcdSession: Sendable {
    /// How long a probe may take: short enough to detect a dead connection within ten seconds in all.
    static let probeTime = Duration.seconds(5)

    var health = EtcdHealth()
    /// Where in etcd's history this node is.
    private(set) var position = EtcdPosition()
    /// The number of instances without key or lease after the last news was taken in.
    private(set) var orphanCount = 0
    private var inbox = EtcdInbox()
    /// The watch that is under way.
    private var watch: EtcdWatch?
    /// When the last probe failed.
    private var probeFailedAt: ContinuousClock.Instant?

    /// Whether etcd has confirmed that it reports every change from now on.
    var isWatching: Bool { watch?.isEstablished ?? false }

    /// Whether everything must be read before a watch can begin.
    ///
    /// - Parameter identity: the identity of etcd's present history.
    func mustReadAll(_ identity: String) -> Bool { position.identity != identity || position.revision == 0 }

    /// Notes that this node's knowledge comes from a snapshot.
    mutating func remembers(_ identity: String?, asOf instant: ContinuousClock.Instant) {
        position.identity = identity
        health.remembered(asOf: instant)
    }

    // MARK: News

    /// Takes in the complete state; what the watch has reported before is older and no longer matters.
    ///
    /// - Parameters:
    ///   - askedAt: a time before any of it was read.
    ///   - deregisteredAt: the revision of the last deregistration.
    mutating func hasRead(
        _ values: [EtcdChange], of identity: String, at revision: Int64, isWiped: Bool, deregisteredAt: Int64,
        askedAt: ContinuousClock.Instant
    ) {
        inbox.replaceAll(values, revision: revision, isWiped: isWiped, deregisteredAt: deregisteredAt)
        position = EtcdPosition(identity: identity, revision: revision)
        health.etcd(isAt: revision, askedAt: askedAt)
    }

    /// Takes in changes after which the watch has reported everything up to a revision.
    ///
    /// - Returns: whether there was room for them. If not, everything must be read anew.
    mutating func hear(_ changes: [EtcdChange], upTo revision: Int64) -> Bool {
        guard inbox.append(changes, revision: revision) else {
            losePosition()
            return false
        }
        position.revision = max(position.revision, revision)
        return true
    }

    /// Takes in what transactions of this node have found or done.
    mutating func learn(_ item: EtcdInbox.Item) { inbox.append(item) }

    /// Notes that reports of the watch were lost: everything must be read anew.
    mutating func losePosition() { position.revision = 0 }

    /// Removes and returns the news.
    mutating func takeNews() -> [EtcdInbox.Item] { inbox.takeAll() }

    /// Notes that news was taken in.
    mutating func adopted(_ progress: EtcdMirror.Progress) {
        orphanCount = progress.orphanCount
        health.adopted(upTo: progress.seen, isNewHistory: progress.isNewHistory)
    }

    // MARK: The watch

    /// Begins a watch.
    ///
    /// - Parameters:
    ///   - endpoint: the member that it is connected to.
    ///   - end: ends the watch.
    /// - Returns: the revision to watch from.
    mutating func beginWatch(
        at endpoint: String, end: AsyncStream<Never>.Continuation, now: ContinuousClock.Instant
    ) -> Int64 {
        watch = EtcdWatch(end: end, endpoint: endpoint, startedAt: now)
        return position.revision + 1
    }

    /// Notes that the watch reports every change from now on.
    mutating func establishWatch(now: ContinuousClock.Instant) {
        watch?.isEstablished = true
        watch?.progress = EtcdWatchProgress(revision: position.revision, now: now)
    }

    mutating func endWatch() { watch = nil }

    // MARK: Probes

    /// What to do after a probe.
    enum ProbeStep: Sendable {
        case goOn
        /// Write something, to see whether the watch reports it, or whether etcd makes changes again.
        case change
        /// End the watch, so that another one begins.
        case startAnew(AsyncStream<Never>.Continuation)
    }

    /// Judges the answer to a probe.
    ///
    /// - Parameters:
    ///   - endpoint: the member that is asked first now.
    ///   - timeout: the time limit of any call.
    mutating func judge(
        _ answer: EtcdResponse, askedAt: ContinuousClock.Instant, endpoint: String, timeout: Duration,
        now: ContinuousClock.Instant
    ) -> ProbeStep {
        let isSameHistory = answer.values.first?.text == position.identity
        if isSameHistory { health.etcd(isAt: answer.revision, askedAt: askedAt) }
        switch judgeWatch(answer, isSameHistory, endpoint, timeout, now) {
        case .startAnew:
            // Until a watch is established again, etcd does not count as healthy.
            watch?.isEstablished = false
            if let end = watch?.end { return .startAnew(end) }
            return .goOn
        case .test: return .change
        // Try a change, since it may be long before anybody else does.
        case .goOn: return health.refusal == nil ? .goOn : .change
        }
    }

    private mutating func judgeWatch(
        _ answer: EtcdResponse, _ isSameHistory: Bool, _ endpoint: String, _ timeout: Duration,
        _ now: ContinuousClock.Instant
    ) -> EtcdWatchProgress.Step {
        guard let watch else { return .goOn }
        // Calls to its member have failed, or a probe has since the watch began.
        let isDoubtful = watch.endpoint != endpoint || probeFailedAt.map { watch.startedAt < $0 } ?? false
        // A watch has no time limit of its own, but must begin within that of other calls.
        let isLate = !watch.isEstablished && watch.startedAt.duration(to: now) > min(timeout, Self.probeTime)
        if !isSameHistory || isDoubtful || isLate { return .startAnew }
        return self.watch?.progress?.look(revision: answer.revision, watched: position.revision, now: now) ?? .goOn
    }

    /// Notes that a probe was not answered.
    mutating func probeHasFailed(now: ContinuousClock.Instant) { probeFailedAt = now }
}

/// Where in etcd's history a node is.
struct EtcdPosition: Sendable, Equatable {
    /// The value of the key that tells one history from another; `nil`: not known yet.
    var identity: String?
    /// The revision up to which everything was seen.
    var revision: Int64 = 0
}

/// A watch that is under way.
private struct EtcdWatch: Sendable {
    var end: AsyncStream<Never>.Continuation
    var endpoint: String
    var startedAt: ContinuousClock.Instant
    var isEstablished = false
    /// How well it keeps up, once it is established.
    var progress: EtcdWatchProgress?
}
