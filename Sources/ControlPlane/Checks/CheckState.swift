/// The status of one check, from the results of its runs and those reported from outside. Pure.
///
/// It becomes critical after `fall` failures in a row, and passes again after `rise` successes. So a target that flaps
/// changes at most once a run.
struct CheckState: Sendable, Equatable {
    /// What the check's own runs say; for a check of type `ttl`, what was reported.
    private(set) var own: CheckStatus
    /// What was reported from outside since the last own run.
    private(set) var reported: CheckStatus?
    /// Successes in a row while critical, or failures in a row while not; at most the number that changes the status.
    private var streak = 0

    /// The present status.
    var status: CheckStatus { reported ?? own }

    /// Begins without any result.
    ///
    /// - Parameter status: that of the check's definition, or the last known one.
    init(_ status: CheckStatus) {
        own = status == .critical ? .critical : .passing
        // Own runs never say `warning`: it came from outside.
        reported = status == .warning ? .warning : nil
    }

    /// Whether the last own run failed, without or before the change to critical.
    var isFailing: Bool { own != .critical && streak > 0 }

    /// Takes the result of an own run. From now on what was reported before does not count.
    ///
    /// - Parameter isHeld: whether failures are only counted for now, and change nothing: see ``confirm(fall:)``.
    mutating func take(isSuccess: Bool, rise: Int, fall: Int, isHeld: Bool = false) {
        if own == .critical {
            streak = isSuccess ? streak + 1 : 0
            if streak >= rise { (own, streak) = (.passing, 0) }
        } else {
            streak = isSuccess ? 0 : min(streak + 1, fall)
            if !isHeld { release(fall: fall) }
        }
        // A success that is not enough yet must not make critical what was reported otherwise while statuses are held.
        if !isHeld || (isSuccess && own != .critical) { reported = nil }
    }

    /// Lets the last own run, which was only counted, have its effect.
    mutating func confirm(fall: Int) {
        reported = nil
        release(fall: fall)
    }

    /// Makes the failures count that came while the status was held. What was reported since then stays.
    mutating func release(fall: Int) {
        if own != .critical, streak >= fall { (own, streak) = (.critical, 0) }
    }

    /// Takes a status from outside; it is valid until the next own run.
    mutating func report(_ status: CheckStatus) {
        reported = status
    }

    /// Takes a status from outside for a check that has no runs of its own.
    mutating func replace(with status: CheckStatus) {
        (own, reported, streak) = (status, nil, 0)
    }
}
