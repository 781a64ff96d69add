/// What is known about the health of an instance besides what is stored with it.
///
/// It changes without its owner's action, and a store does not keep it.
struct InstanceHealth: Sendable, Equatable {
    /// Results of its checks that the store could not keep yet: newer than the stored ones.
    var unstored: [CheckRecord] = []
}

extension RegisteredInstance {
    /// What is known of a check.
    func result(of check: Check) -> CheckRecord {
        health.unstored.first { $0.name == check.name } ?? instance.result(of: check)
    }

    /// The status that its owner sees; draining takes precedence over everything else.
    var status: InstanceStatus {
        if instance.isDraining { return .draining }
        return switch instance.checkStatus(besides: health.unstored) {
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
