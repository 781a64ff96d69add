/// What is known about the health of an instance besides what is stored with it.
///
/// It changes without its owner's action, and a store does not keep it.
struct InstanceHealth: Sendable, Equatable {
    /// The verdict of a check, or of whatever else watches an instance.
    enum Verdict: Sendable, Comparable {
        /// Everything is fine.
        case passing
        /// Something is wrong, but DNS still answers with the instance.
        case warning
        /// The instance does not work.
        case critical
    }

    /// The verdict of whatever watches it, other than its checks.
    var verdict = Verdict.passing
    /// Results of its checks that the store could not keep yet: newer than the stored ones.
    var unstored: [CheckRecord] = []
}

extension InstanceHealth.Verdict {
    /// The verdict of checks with this status.
    init(_ status: CheckStatus) {
        self =
            switch status {
            case .passing: .passing
            case .warning: .warning
            case .critical: .critical
            }
    }
}

extension RegisteredInstance {
    /// What is known of a check.
    func result(of check: Check) -> CheckRecord {
        health.unstored.first { $0.name == check.name } ?? instance.result(of: check)
    }

    /// The status that its owner sees; draining takes precedence over everything else.
    var status: InstanceStatus {
        if instance.isDraining { return .draining }
        return switch max(health.verdict, InstanceHealth.Verdict(instance.checkStatus(besides: health.unstored))) {
        case .passing: instance.isHeld ? .warning : .passing
        case .warning: .warning
        case .critical: .critical
        }
    }

    /// Whether DNS may answer with it.
    var isHealthy: Bool { status == .passing || status == .warning }

    /// Whether DNS answers would stay the same with `other` in its place.
    func looksInDNSLike(_ other: RegisteredInstance) -> Bool {
        // A critical one is answered if its service is protected, a draining one never.
        isHealthy == other.isHealthy && (isHealthy || status == other.status)
            && instance.hasSameRecords(as: other.instance)
    }
}
