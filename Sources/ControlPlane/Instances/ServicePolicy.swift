import Engine

/// What holds for one service in place of the server's settings; `nil`: as these say.
struct ServicePolicy: Sendable, Equatable {
    /// The most policies there may be.
    static let maximumCount = 65_536

    /// What a known service without a healthy instance answers.
    enum EmptyAnswer: String, CaseIterable, Sendable {
        /// NXDOMAIN, as if it did not exist.
        case nameError = "nxdomain"
        /// NOERROR without records.
        case noData = "nodata"
        /// SERVFAIL.
        case serverFailure = "servfail"
        /// The instances that it had last while one was healthy; NXDOMAIN if none of them is known.
        case lastKnown = "last_known"
    }

    /// Which priority groups are answered.
    enum Priorities: String, CaseIterable, Sendable {
        /// The best available one.
        case lowest
        /// All of them.
        case all
    }

    /// Which record of an answer comes first.
    var strategy: RotationStrategyName?
    /// What the service answers without a healthy instance.
    var onEmpty: EmptyAnswer?
    /// How long it answers SERVFAIL before that; 0 to 3,600 s.
    var emptyGrace: Duration?
    /// Which priority groups are answered.
    var priorities: Priorities?
    /// The share (0–1) of healthy instances below which critical ones are answered too; 0: never.
    var protectThreshold: Double?
    /// The TTL in seconds of instances that were registered without one; 1–86,400.
    var dnsTTL: UInt32?
    /// What its registrations must keep to.
    var bounds = PolicyBounds()
}

/// Bounds of what a service's instances may be registered with; `nil`: none. They hold for what comes: instances that
/// are there already stay.
struct PolicyBounds: Sendable, Hashable {
    /// The highest weight.
    var maximumWeight: UInt16?
    /// The lowest priority, which is the best.
    var minimumPriority: UInt16?

    /// What is wrong with values; `nil` ones are not looked at.
    func errors(weight: UInt16?, priority: UInt16?, service: String) -> [FieldError] {
        var errors: [FieldError] = []
        if let weight, let maximumWeight, weight > maximumWeight {
            errors.append(
                FieldError(
                    field: "weight",
                    message: "must be at most \(maximumWeight): max_weight in the policy of '\(service)'"))
        }
        if let priority, let minimumPriority, priority < minimumPriority {
            errors.append(
                FieldError(
                    field: "priority",
                    message: "must be at least \(minimumPriority): min_priority in the policy of '\(service)'"))
        }
        return errors
    }
}

/// A policy with the name of its service.
struct NamedPolicy: Sendable, Equatable {
    var name: String
    var policy: ServicePolicy
}
