/// Whether etcd answers and makes changes, since when not, and how old what is known of it is: pure.
struct EtcdHealth: Sendable {
    /// How long after an outage instances stay whose leases have ended in it: the nodes that their heartbeats went to
    /// need some time to write them again.
    static let holdTime = Duration.seconds(3)

    /// How long without an answer, or without a turn for this node, leases may have ended for: as after an outage.
    private static let slowTime = Duration.milliseconds(1500)

    /// As old as this is what is known between two answers: nothing to tell.
    private static let usualLag = Duration.seconds(1)

    /// From this age on what is known is not good enough.
    static let staleTime = Duration.seconds(5)

    /// Why it does not answer; `nil`: it does.
    private(set) var problem: String? = "not connected yet"
    /// Why it makes no changes, though it answers: it has no space, or this user must not; `nil`: it makes them, as far
    /// as is known.
    private(set) var refusal: String?
    /// When it has answered last, with a watch that was there, or as of when a snapshot was.
    private var answeredAt: ContinuousClock.Instant?
    /// When what is known was all there is.
    private(set) var knownAsOf: ContinuousClock.Instant?
    /// Until when instances without a lease stay.
    private(set) var holdUntil: ContinuousClock.Instant?
    /// Where etcd was, and when, that this node has not come to yet.
    private var awaited: (revision: Int64, askedAt: ContinuousClock.Instant)?
    /// Up to where this node knows everything.
    private var adoptedRevision: Int64 = 0

    /// etcd has answered.
    ///
    /// - Returns: how long it had not, if this is the end of an outage.
    mutating func succeeded(now: ContinuousClock.Instant) -> Duration? {
        let outage = problem == nil ? nil : answeredAt.map { $0.duration(to: now) }
        // At the start nothing was known that could have ended meanwhile.
        if answeredAt != nil, problem != nil || isLate(now) { holdUntil = now + Self.holdTime }
        problem = nil
        answeredAt = now
        return outage
    }

    /// etcd has not answered.
    ///
    /// - Returns: whether it had before, or had failed otherwise.
    mutating func failed(_ reason: String) -> Bool {
        defer { problem = reason }
        return problem == nil || answeredAt == nil && problem != reason
    }

    /// etcd has answered that it does not make a change.
    ///
    /// - Returns: whether it had made them before.
    mutating func refused(_ reason: String) -> Bool {
        defer { refusal = reason }
        return refusal == nil
    }

    /// etcd has made a change.
    ///
    /// - Returns: whether it had refused to before.
    mutating func changed() -> Bool {
        defer { refusal = nil }
        return refusal != nil
    }

    /// Where etcd was when it was asked at some time.
    mutating func etcd(isAt revision: Int64, askedAt: ContinuousClock.Instant) {
        if revision <= adoptedRevision {
            awaited = nil
            knownAsOf = max(knownAsOf ?? askedAt, askedAt)
        } else if awaited == nil {
            awaited = (revision, askedAt)
        }
    }

    /// Everything up to a revision is known here.
    ///
    /// - Parameter isNewHistory: whether etcd's revisions have begun anew.
    mutating func adopted(upTo revision: Int64, isNewHistory: Bool = false) {
        adoptedRevision = revision
        if isNewHistory { awaited = nil }
        if let awaited { etcd(isAt: awaited.revision, askedAt: awaited.askedAt) }
    }

    /// What is known is from a snapshot.
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

    /// Why this node should not be relied on: etcd does not answer, makes no changes, or tells nothing of what others
    /// change.
    func complaint(now: ContinuousClock.Instant) -> String? {
        if let problem = problem ?? refusal { return problem }
        guard let knownAsOf, knownAsOf.duration(to: now) >= Self.staleTime else { return nil }
        return "changes of other nodes have not been heard of for \(knownAsOf.duration(to: now).components.seconds) s"
    }

    /// How old what is known may be, in seconds; 0 while that is less than one.
    func lagSeconds(now: ContinuousClock.Instant) -> Double {
        guard let lag = knownAsOf?.duration(to: now), lag >= Self.usualLag else { return 0 }
        return lag / .seconds(1)
    }
}
