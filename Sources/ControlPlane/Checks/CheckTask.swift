import Engine

/// One check of one instance, with all that is known about it.
struct CheckTask: Sendable {
    /// The instance's id.
    let instance: String
    let address: IPAddress
    let port: UInt16
    let check: Check
    /// The number of the last assignment.
    var assignment: UInt64
    var state: CheckState
    var seen: CheckObservation
    /// When it became critical, as far as is known here; later if statuses were held meanwhile.
    var criticalSince: ContinuousClock.Instant?
    /// When a check of type `ttl` becomes critical.
    var reportDeadline: ContinuousClock.Instant?
    /// Whether it passed at least once, here or before.
    var hasPassed: Bool
    var standing = CutOffDetector.Standing.uncounted
    /// The time at which its deadlines are looked at.
    var queuedFor: ContinuousClock.Instant?

    init(_ assignment: CheckAssignment, _ check: Check, now: Moment) {
        let known = assignment.statuses[check.name]
        let status = known?.status ?? check.initial
        instance = assignment.id
        address = assignment.address
        port = assignment.port
        self.check = check
        self.assignment = assignment.number
        state = CheckState(status)
        seen = CheckObservation(
            name: check.name, status: status, since: known?.since ?? now.wall, output: known?.output ?? "")
        hasPassed = known.map { $0.status != .critical } ?? false
        // Nobody knows how it was while no node was there: the time begins anew.
        criticalSince = status == .critical ? now.monotonic : nil
        if let ttl = check.ttl {
            state.replace(with: status)
            reportDeadline = status == .critical ? nil : now.monotonic.advanced(by: ttl)
        }
    }

    /// Whether it may go on as it is after a registration.
    func isSame(as assignment: CheckAssignment, _ check: Check) -> Bool {
        address == assignment.address && port == assignment.port && self.check == check
    }

    /// What it counts when many fail at once, after an own run.
    ///
    /// - Parameter wasCritical: before that run.
    func standing(after outcome: CheckResult.Outcome, wasCritical: Bool) -> CutOffDetector.Standing {
        if !hasPassed { return .uncounted }
        if outcome == .success { return state.own == .critical ? .uncounted : .passing }
        return wasCritical ? .uncounted : .failing
    }

    /// When the instance is to be removed, unless the check passes before.
    var removalDeadline: ContinuousClock.Instant? {
        guard let criticalSince, let after = check.deregisterAfter else { return nil }
        return criticalSince.advanced(by: after)
    }

    /// The next time when it changes without a run.
    var deadline: ContinuousClock.Instant? {
        guard let reportDeadline else { return removalDeadline }
        return removalDeadline.map { min($0, reportDeadline) } ?? reportDeadline
    }

    /// Takes over the status of ``state``.
    ///
    /// - Returns: the old status, if it was another one.
    mutating func settle(now: Moment) -> CheckStatus? {
        let (old, new) = (seen.status, state.status)
        if old == new { return nil }
        seen.status = new
        seen.since = now.wall
        criticalSince = new == .critical ? now.monotonic : nil
        return old
    }
}

extension Check {
    /// How long a reported result is valid; `nil`: the check has runs of its own.
    var ttl: Duration? {
        if case .ttl(let ttl) = kind { ttl } else { nil }
    }
}
