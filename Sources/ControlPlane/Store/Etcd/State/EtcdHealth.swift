/// Whether etcd answers and makes changes, since when it does not, and how old this node's knowledge is. Pure.
struct EtcdHealth: Sendable {
    /// How long instances whose leases ended in an outage stay after it: the nodes that receive their heartbeats need
    /// some time to write them again.
    static let holdTime = Duration.seconds(3)

    /// After this long without an answer, or without processor time for this node, leases may have ended as in an
    /// outage.
    private static let slowTime = Duration.milliseconds(1500)

    /// Up to this age, which is usual between two answers, the lag is reported as 0.
    private static let usualLag = Duration.seconds(1)

    /// From this age on, this node's knowledge is not good enough.
    static let staleTime = Duration.seconds(5)

    /// Why etcd does not answer, or `nil` if it does.
    private(set) var problem: String? = "not connected yet"
    /// Why etcd makes no changes although it answers: it has no space, or this user lacks permission; `nil`: it makes
    /// them, as far as is known.
    private(set) var refusal: String?
    /// When etcd last answered while a watch was established, or the time of the snapshot.
    private var answeredAt: ContinuousClock.Instant?
    /// The last time at which this node is certain to have known everything.
    private(set) var knownAsOf: ContinuousClock.Instant?
    /// Until when instances without a lease stay.
    private(set) var holdUntil: ContinuousClock.Instant?
    /// A revision that etcd has reached and this node has not, and when etcd was asked.
    private var awaited: (revision: Int64, askedAt: ContinuousClock.Instant)?
    /// The revision up to which this node knows everything.
    private var adoptedRevision: Int64 = 0

    /// Notes that etcd has answered.
    ///
    /// - Returns: how long the outage was, if this ends one.
    mutating func succeeded(now: ContinuousClock.Instant) -> Duration? {
        let outage = problem == nil ? nil : answeredAt.map { $0.duration(to: now) }
        // At the start nothing was known whose lease could have ended.
        if answeredAt != nil, problem != nil || isLate(now) { holdUntil = now + Self.holdTime }
        problem = nil
        answeredAt = now
        return outage
    }

    /// Notes that etcd has not answered.
    ///
    /// - Returns: whether that is news: it answered before, or failed for another reason.
    mutating func failed(_ reason: String) -> Bool {
        defer { problem = reason }
        return problem == nil || answeredAt == nil && problem != reason
    }

    /// Notes that etcd has refused a change.
    ///
    /// - Returns: whether it made changes before.
    mutating func refused(_ reason: String) -> Bool {
        defer { refusal = reason }
        return refusal == nil
    }

    /// Notes that etcd has made a change.
    ///
    /// - Returns: whether it refused changes before.
    mutating func changed() -> Bool {
        defer { refusal = nil }
        return refusal != nil
    }

    /// Notes the revision that etcd was at when it was asked.
    mutating func etcd(isAt revision: Int64, askedAt: ContinuousClock.Instant) {
        if revision <= adoptedRevision {
            awaited = nil
            knownAsOf = max(knownAsOf ?? askedAt, askedAt)
        } else if awaited == nil {
            awaited = (revision, askedAt)
        }
    }

    /// Notes that this node knows everything up to a revision.
    ///
    /// - Parameter isNewHistory: whether etcd's revisions have begun anew.
    mutating func adopted(upTo revision: Int64, isNewHistory: Bool = false) {
        adoptedRevision = revision
        if isNewHistory { awaited = nil }
        if let awaited { etcd(isAt: awaited.revision, askedAt: awaited.askedAt) }
    }

    /// Notes that this node's knowledge comes from a snapshot.
    mutating func remembered(asOf instant: ContinuousClock.Instant) {
        knownAsOf = instant
        answeredAt = instant
    }

    /// Whether instances without a lease stay for now.
    func isHolding(now: ContinuousClock.Instant) -> Bool {
        problem != nil || isLate(now) || holdUntil.map { now < $0 } ?? false
    }

    private func isLate(_ now: ContinuousClock.Instant) -> Bool {
        answeredAt.map { $0.duration(to: now) > Self.slowTime } ?? false
    }

    /// Why this node should not be relied on: etcd does not answer, makes no changes, or does not report those of
    /// others.
    func complaint(now: ContinuousClock.Instant) -> String? {
        if let problem = problem ?? refusal { return problem }
        guard let knownAsOf, knownAsOf.duration(to: now) >= Self.staleTime else { return nil }
        return "changes of other nodes have not been heard of for \(knownAsOf.duration(to: now).components.seconds) s"
    }

    /// How old this node's knowledge may be, in seconds; 0 if that is less than one.
    func lagSeconds(now: ContinuousClock.Instant) -> Double {
        guard let lag = knownAsOf?.duration(to: now), lag >= Self.usualLag else { return 0 }
        return lag / .seconds(1)
    }
}
