/// What is known of how an instance is, beside what was registered.
///
/// It changes without its owner's doing, and is none of what a store keeps of the registration.
struct InstanceHealth: Sendable, Equatable {
    /// What a check, or what else watches an instance, says of it.
    enum Verdict: Sendable {
        /// All is well.
        case passing
        /// Not all is well, and it is still answered with.
        case warning
        /// It does not work.
        case critical
    }

    /// The worst of all that is said.
    var verdict = Verdict.passing
}

extension RegisteredInstance {
    /// What its owner sees as its state: that it drains comes before all else.
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

    /// Whether DNS answers the same with `other` in its place.
    func looksInDNSLike(_ other: RegisteredInstance) -> Bool {
        isHealthy == other.isHealthy && instance.hasSameRecords(as: other.instance)
    }
}
