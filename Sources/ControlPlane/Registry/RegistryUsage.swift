/// A limit of the configuration that a registration would go beyond.
enum RegistryLimit: Sendable, Hashable {
    /// `registry.max_instances`
    case instances(Int)
    /// `registry.max_names`
    case names(Int)
    /// `registry.max_per_name`
    case perName(Int)

    /// What is wrong, and with which field: the whole body, or the name.
    var error: FieldError {
        switch self {
        case .instances(let limit):
            FieldError(field: "", message: "the registry is full: registry.max_instances is \(limit)")
        case .names(let limit):
            FieldError(field: "", message: "there are too many names in DNS: registry.max_names is \(limit)")
        case .perName(let limit):
            FieldError(field: "name", message: "the service has too many instances: registry.max_per_name is \(limit)")
        }
    }
}

/// What a group of commands makes of the registry, against its limits: pure.
///
/// A limit holds for what is new. What is there already, because it was stored or another node has registered it, may
/// be above: then it does not grow.
struct RegistryUsage {
    private let limits: Configuration.RegistryLimits
    /// Instances more than the table has.
    private var instances = 0
    /// Names in DNS more than the table has.
    private var names = 0
    /// Instances of parts of services more than the table has.
    private var members: [String: [ServicePart: Int]] = [:]

    /// Of an empty group.
    init(limits: Configuration.RegistryLimits) {
        self.limits = limits
    }

    /// Puts an instance into the place of another; either may be none.
    ///
    /// - Returns: the limit that speaks against it: nothing has changed then.
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

    /// How many instances a part of a service has.
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
