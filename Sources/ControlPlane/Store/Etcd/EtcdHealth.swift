/// Whether etcd answers, since when not, and how old what is known of it is: pure.
struct EtcdHealth: Sendable {
    /// How long after an outage instances stay whose leases have ended in it: the nodes that their heartbeats went to
    /// need some time to write them again.
    static let holdTime = Duration.seconds(3)

    /// How long without an answer, or without a turn for this node, leases may have ended for: as after an outage.
    private static let slowTime = Duration.milliseconds(1500)

    /// Why it does not answer; `nil`: it does.
    private(set) var problem: String? = "not connected yet"
    /// When what is known was all there is.
    private(set) var knownAsOf: ContinuousClock.Instant?
    /// Until when instances without a lease stay.
    private(set) var holdUntil: ContinuousClock.Instant?

    /// etcd has answered.
    ///
    /// - Returns: how long it had not, if this is the end of an outage.
    mutating func succeeded(now: ContinuousClock.Instant) -> Duration? {
        let outage = problem == nil ? nil : knownAsOf.map { $0.duration(to: now) }
        // At the start nothing was known that could have ended meanwhile.
        if knownAsOf != nil, problem != nil || isLate(now) { holdUntil = now + Self.holdTime }
        problem = nil
        knownAsOf = now
        return outage
    }

    /// etcd has not answered.
    ///
    /// - Returns: whether it had before, or had failed otherwise.
    mutating func failed(_ reason: String) -> Bool {
        defer { problem = reason }
        return problem == nil || knownAsOf == nil && problem != reason
    }

    /// What is known is from a snapshot.
    mutating func remembered(asOf instant: ContinuousClock.Instant) {
        knownAsOf = instant
    }

    /// Whether instances without a lease stay for now.
    func isHolding(now: ContinuousClock.Instant) -> Bool {
        problem != nil || isLate(now) || holdUntil.map { now < $0 } ?? false
    }

    private func isLate(_ now: ContinuousClock.Instant) -> Bool {
        knownAsOf.map { $0.duration(to: now) > Self.slowTime } ?? false
    }

    /// How old what is known may be, in seconds.
    func lagSeconds(now: ContinuousClock.Instant) -> Double {
        guard problem != nil, let knownAsOf else { return 0 }
        return knownAsOf.duration(to: now) / .seconds(1)
    }
}
