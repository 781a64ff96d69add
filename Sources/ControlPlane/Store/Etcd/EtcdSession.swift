/// What a node knows of etcd itself, and what has come from there: whether it answers, where in its history this node
/// is, how the watch does, and what it has told.
///
/// Pure: those who call etcd tell what has come of it, and are told what to do next.
struct EtcdSession: Sendable {
    /// How long a probe may take: with that, a dead connection is found out about within ten seconds in all.
    static let probeTime = Duration.seconds(5)

    var health = EtcdHealth()
    /// Where in etcd's history this node is.
    private(set) var position = EtcdPosition()
    /// Instances whose keys or leases were gone when news were taken in last.
    private(set) var orphanCount = 0
    private var inbox = EtcdInbox()
    /// The watch that is under way.
    private var watch: EtcdWatch?
    /// When a probe has failed last.
    private var probeFailedAt: ContinuousClock.Instant?

    /// Whether etcd has said that it tells of every change from now on.
    var isWatching: Bool { watch?.isEstablished ?? false }

    /// Whether everything is to be read before a watch can begin.
    ///
    /// - Parameter identity: of the history that etcd has now.
    func mustReadAll(_ identity: String) -> Bool { position.identity != identity || position.revision == 0 }

    /// What is known is from a snapshot.
    mutating func remembers(_ identity: String?, asOf instant: ContinuousClock.Instant) {
        position.identity = identity
        health.remembered(asOf: instant)
    }

    // MARK: News

    /// Everything was read: what the watch has told of is older and does not matter any more.
    ///
    /// - Parameters:
    ///   - askedAt: before anything of it was read.
    ///   - deregisteredAt: the revision at which somebody was deregistered last.
    mutating func hasRead(
        _ values: [EtcdChange], of identity: String, at revision: Int64, isWiped: Bool, deregisteredAt: Int64,
        askedAt: ContinuousClock.Instant
    ) {
        inbox.replaceAll(values, revision: revision, isWiped: isWiped, deregisteredAt: deregisteredAt)
        position = EtcdPosition(identity: identity, revision: revision)
        health.etcd(isAt: revision, askedAt: askedAt)
    }

    /// The watch has told of everything up to a revision.
    ///
    /// - Returns: whether there was room for it. Otherwise everything is to be read anew.
    mutating func hear(_ changes: [EtcdChange], upTo revision: Int64) -> Bool {
        guard inbox.append(changes, revision: revision) else {
            losePosition()
            return false
        }
        position.revision = max(position.revision, revision)
        return true
    }

    /// Transactions of this node have found or done something.
    mutating func learn(_ item: EtcdInbox.Item) { inbox.append(item) }

    /// What the watch would have told is lost: everything is to be read anew.
    mutating func losePosition() { position.revision = 0 }

    /// Takes out what has come.
    mutating func takeNews() -> [EtcdInbox.Item] { inbox.takeAll() }

    /// News were taken in.
    mutating func adopted(_ progress: EtcdMirror.Progress) {
        orphanCount = progress.orphanCount
        health.adopted(upTo: progress.seen, isNewHistory: progress.isNewHistory)
    }

    // MARK: The watch

    /// A watch begins.
    ///
    /// - Parameters:
    ///   - endpoint: of the member that it is at.
    ///   - end: ends it.
    /// - Returns: the revision from which it is to tell.
    mutating func beginWatch(
        at endpoint: String, end: AsyncStream<Never>.Continuation, now: ContinuousClock.Instant
    ) -> Int64 {
        watch = EtcdWatch(end: end, endpoint: endpoint, startedAt: now)
        return position.revision + 1
    }

    /// The watch tells of every change from now on.
    mutating func establishWatch(now: ContinuousClock.Instant) {
        watch?.isEstablished = true
        watch?.progress = EtcdWatchProgress(revision: position.revision, now: now)
    }

    mutating func endWatch() { watch = nil }

    // MARK: Probes

    /// What to do after a probe.
    enum ProbeStep: Sendable {
        case goOn
        /// Write something that the watch must tell of, or to find out whether changes are made.
        case change
        /// End the watch, so that another begins.
        case startAnew(AsyncStream<Never>.Continuation)
    }

    /// A probe was answered.
    ///
    /// - Parameters:
    ///   - endpoint: the member that is asked first by now.
    ///   - timeout: of any call.
    mutating func judge(
        _ answer: EtcdResponse, askedAt: ContinuousClock.Instant, endpoint: String, timeout: Duration,
        now: ContinuousClock.Instant
    ) -> ProbeStep {
        let isSameHistory = answer.values.first?.text == position.identity
        if isSameHistory { health.etcd(isAt: answer.revision, askedAt: askedAt) }
        switch judgeWatch(answer, isSameHistory, endpoint, timeout, now) {
        case .startAnew:
            // Until it is established again, nobody is told that all is well.
            watch?.isEstablished = false
            if let end = watch?.end { return .startAnew(end) }
            return .goOn
        case .test: return .change
        // Nobody may try to change anything for long.
        case .goOn: return health.refusal == nil ? .goOn : .change
        }
    }

    private mutating func judgeWatch(
        _ answer: EtcdResponse, _ isSameHistory: Bool, _ endpoint: String, _ timeout: Duration,
        _ now: ContinuousClock.Instant
    ) -> EtcdWatchProgress.Step {
        guard let watch else { return .goOn }
        // What it is at, or on, has failed somebody.
        let isDoubtful = watch.endpoint != endpoint || probeFailedAt.map { watch.startedAt < $0 } ?? false
        // A watch has no time limit of its own, but must begin within that of any other call.
        let isLate = !watch.isEstablished && watch.startedAt.duration(to: now) > min(timeout, Self.probeTime)
        if !isSameHistory || isDoubtful || isLate { return .startAnew }
        return self.watch?.progress?.look(revision: answer.revision, watched: position.revision, now: now) ?? .goOn
    }

    /// A probe was not answered.
    mutating func probeHasFailed(now: ContinuousClock.Instant) { probeFailedAt = now }
}

/// Where in etcd's history a node is.
struct EtcdPosition: Sendable, Equatable {
    /// The value of the key that tells one history from another; `nil`: not known yet.
    var identity: String?
    /// Up to where everything was seen.
    var revision: Int64 = 0
}

/// A watch that is under way.
private struct EtcdWatch: Sendable {
    var end: AsyncStream<Never>.Continuation
    var endpoint: String
    var startedAt: ContinuousClock.Instant
    var isEstablished = false
    /// How it keeps up, once it is established.
    var progress: EtcdWatchProgress?
}
