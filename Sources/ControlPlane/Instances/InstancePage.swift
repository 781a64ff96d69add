/// The numbers of instances by status.
struct StatusCounts: Sendable, Equatable {
    var passing = 0
    var warning = 0
    var critical = 0
    var draining = 0

    /// The number of all instances.
    var total: Int { passing + warning + critical + draining }

    /// The number of instances with one status.
    subscript(status: InstanceStatus) -> Int {
        get {
            switch status {
            case .passing: passing
            case .warning: warning
            case .critical: critical
            case .draining: draining
            }
        }
        set {
            switch status {
            case .passing: passing = newValue
            case .warning: warning = newValue
            case .critical: critical = newValue
            case .draining: draining = newValue
            }
        }
    }
}

/// A service and the number of its instances.
struct ServiceSummary: Sendable, Equatable {
    var name: String
    var counts: StatusCounts
}

/// Selects the instances of a list; a criterion that is `nil` selects all.
struct InstanceFilter: Sendable, Equatable {
    var name: String?
    var tag: String?
    var status: InstanceStatus?

    /// Whether an instance belongs to the list.
    func matches(_ registered: RegisteredInstance) -> Bool {
        let instance = registered.instance
        return (name.map { $0 == instance.name } ?? true)
            && (tag.map { instance.tags.contains($0) } ?? true)
            && (status.map { $0 == registered.status } ?? true)
    }
}

/// A part of the list of instances.
struct InstancePage: Sendable {
    var instances: [RegisteredInstance]
    /// The place of the last instance that was looked at; the list continues after it.
    var lastSequence: UInt64?
    /// Whether nothing comes after it.
    var isLast: Bool
}

/// The result of a search for expired instances.
struct ExpiredInstances: Sendable, Equatable {
    /// The instances removed.
    var instances: [ServiceInstance]
    /// Whether no others are due.
    var isComplete: Bool
}
