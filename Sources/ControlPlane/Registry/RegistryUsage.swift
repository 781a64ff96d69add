/// A configured limit that a registration would exceed.
enum RegistryLimit: Sendable, Hashable {
    /// `registry.max_instances`
    case instances(Int)
    /// `registry.max_names`
    case names(Int)
    /// `registry.max_per_name`
    case perName(Int)
    /// ``ServicePolicy/maximumCount``
    case policies(Int)
    /// ``PolicyBounds`` in the policy of a service, with the values beyond them; `nil` for a value within.
    case bounds(weight: UInt16?, priority: UInt16?, PolicyBounds, service: String)

    /// The errors, each with the field that causes it: the whole body, or one of its members.
    var errors: [FieldError] {
        switch self {
        case .instances(let limit):
            [FieldError(field: "", message: "the registry is full: registry.max_instances is \(limit)")]
        case .names(let limit):
            [FieldError(field: "", message: "there are too many names in DNS: registry.max_names is \(limit)")]
        case .perName(let limit):
            [
                FieldError(
                    field: "name", message: "the service has too many instances: registry.max_per_name is \(limit)")
            ]
        case .policies(let limit):
            [FieldError(field: "", message: "there are too many policies: at most \(limit)")]
        case .bounds(let weight, let priority, let bounds, let service):
            bounds.errors(weight: weight, priority: priority, service: service)
        }
    }
}

/// Checks how a group of commands changes the registry's size against its limits. It is pure.
///
/// A limit applies to what is new. Instances that are there already, because they were stored or another node has
/// registered them, may exceed it; then their number must not grow.
struct RegistryUsage {
    private let limits: Configuration.RegistryLimits
    /// How many more instances there are than in the table.
    private var instances = 0
    /// How many more names in DNS there are than in the table.
    private var names = 0
    /// How many more instances of parts of services there are than in the table.
    private var members: [String: [ServicePart: Int]] = [:]

    /// The usage before any command.
    init(limits: Configuration.RegistryLimits) {
        self.limits = limits
    }

    /// Replaces an instance by another; either may be `nil`.
    ///
    /// - Returns: the limit that forbids it; nothing has changed then.
    mutating func replace(
        _ old: ServiceInstance?, by new: ServiceInstance?, _ table: InstanceTable
    ) -> RegistryLimit? {
        if let old, let new, old.hasSameParts(as: new) { return nil }
        let namesBefore = names
        if let old { count(old, -1, table) }
        guard let new else { return nil }
        count(new, 1, table)
        var limit: RegistryLimit?
        if old == nil, table.count + instances > limits.maximumInstances {
            limit = .instances(limits.maximumInstances)
        } else if old?.name != new.name, self[.whole, new.name, table] > limits.maximumPerName {
            limit = .perName(limits.maximumPerName)
        } else if names > namesBefore, table.nameCount + names > limits.maximumNames {
            limit = .names(limits.maximumNames)
        }
        guard limit != nil else { return nil }
        count(new, -1, table)
        if let old { count(old, 1, table) }
        return limit
    }

    /// The number of instances in a part of a service.
    private subscript(part: ServicePart, service: String, table: InstanceTable) -> Int {
        table.count(of: part, inService: service) + (members[service]?[part] ?? 0)
    }

    private mutating func count(_ instance: ServiceInstance, _ difference: Int, _ table: InstanceTable) {
        instances += difference
        for part in instance.parts {
            let before = self[part, instance.name, table]
            members[instance.name, default: [:]][part, default: 0] += difference
            guard part.hasName(in: instance.name) else { continue }
            if before == 0 { names += 1 }
            if before + difference == 0 { names -= 1 }
        }
    }
}
