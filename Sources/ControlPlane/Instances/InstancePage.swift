/// How many instances have each status.
struct StatusCounts: Sendable, Equatable {
    var passing = 0
    var warning = 0
    var critical = 0
    var draining = 0

    /// All of them.
    var total: Int { passing + warning + critical + draining }

    /// The count of one status.
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

/// Which instances a list has; what is `nil` does not matter.
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
    /// The place of the last instance that was looked at, from where the list goes on.
    var lastSequence: UInt64?
    /// Whether nothing comes after it.
    var isLast: Bool
}

/// What a search for expired instances has found.
struct ExpiredInstances: Sendable, Equatable {
    /// Those that were taken out.
    var instances: [ServiceInstance]
    /// Whether no others are due.
    var isComplete: Bool
}
