import Engine

/// An instance whose checks are to be done here.
struct CheckAssignment: Sendable, Equatable {
    /// The instance's id.
    var id: String
    var address: IPAddress
    var port: UInt16
    var checks: [Check]
    /// What is known of the checks' statuses, by name; a check without one begins with its ``Check/initial``.
    var statuses: [String: KnownStatus] = [:]
    /// Tells this assignment of the instance from earlier ones.
    var number: UInt64 = 0

    /// A status to which a result, here or on another node, has led.
    struct KnownStatus: Sendable, Equatable {
        var status: CheckStatus
        var since: WallTime
        var output = ""
    }
}

/// What is known of a check here. Its status may be ahead of the registry's, which is what DNS answers by.
struct CheckObservation: Sendable, Equatable {
    var name: String
    var status: CheckStatus
    /// Since when it has that status.
    var since: WallTime
    /// What the last run or report said: at most 512 octets of printable text.
    var output = ""
    /// How long the last run took; `nil`: there was none, or a result was reported.
    var duration: Duration?
    /// When the last run ended, or the last result was reported; `nil`: neither has been here.
    var checkedAt: WallTime?
}

/// A check's status has changed.
struct CheckTransition: Sendable, Equatable {
    /// The instance's id.
    var id: String
    /// The check, with its new status.
    var check: CheckObservation
    var old: CheckStatus
    /// The number of the assignment that the check belongs to: a later one may be about other checks.
    var assignment: UInt64 = 0
}

/// An instance is to be removed, because a check of it has been critical for its `deregister_after`.
struct CheckRemoval: Sendable, Equatable {
    /// The instance's id.
    var id: String
    /// The check's name.
    var check: String
    /// For the log: `check 'web' critical for 5m: HTTP 503`.
    var reason: String
    /// The number of the assignment that the check belongs to, as in ``CheckTransition``.
    var assignment: UInt64 = 0
}

/// The outcome of one run.
struct CheckResult: Sendable, Equatable {
    enum Outcome: Sendable, Equatable {
        case success
        case failure
        /// It failed because the time was over.
        case silence
        /// It says nothing about the target: this machine could not do it.
        case none
    }

    var outcome: Outcome
    /// In our own words: at most 512 octets of printable ASCII, nothing that the target sent.
    var output: String
    var duration: Duration
}

/// What became of a reported result.
enum ReportOutcome: Sendable, Equatable {
    /// No such instance is checked here, or it has no such check.
    case unknown
    /// The check as it is now; the transition, if there was one, has been passed on before.
    case taken(CheckObservation)
}
