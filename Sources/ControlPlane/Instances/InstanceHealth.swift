/// The observed health of an instance, in addition to its registration.
///
/// It changes without its owner's action, and a store does not keep it.
struct InstanceHealth: Sendable, Equatable {
    /// The verdict of a check, or of whatever else watches an instance.
    enum Verdict: Sendable {
        /// Everything is fine.
        case passing
        /// Something is wrong, but DNS still answers with the instance.
        case warning
        /// The instance does not work.
        case critical
    }

    /// The worst of all verdicts.
    var verdict = Verdict.passing
}

extension RegisteredInstance {
    /// The status that its owner sees; draining takes precedence over everything else.
    var status: InstanceStatus {
        if instance.isDraining { return .draining }
        return switch health.verdict {
        case .passing: .passing
        case .warning: .warning
        case .critical: .critical
        }
    }

    /// Whether DNS may answer with it.
    var isHealthy: Bool { status == .passing || status == .warning }

    /// Whether DNS answers would stay the same with `other` in its place.
    func looksInDNSLike(_ other: RegisteredInstance) -> Bool {
        isHealthy == other.isHealthy && instance.hasSameRecords(as: other.instance)
    }
}
