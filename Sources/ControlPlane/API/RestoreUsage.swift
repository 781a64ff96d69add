/// Checks what a backup has against the limits of the registry, as if nothing else were registered. Pure.
struct RestoreUsage: Sendable {
    private static let nothing = InstanceTable()

    private var usage: RegistryUsage
    private let maximumInstances: Int

    init(_ registry: Registry) {
        usage = RegistryUsage(limits: registry.limits)
        maximumInstances = registry.limits.maximumInstances
    }

    /// Checks the header.
    func check(_ header: BackupHeader) throws(BackupProblem) {
        if header.counts.instances > maximumInstances {
            throw BackupProblem(
                reason: "it has \(header.counts.instances) instances, and registry.max_instances is "
                    + "\(maximumInstances): raise that")
        }
        if header.counts.policies > ServicePolicy.maximumCount {
            throw BackupProblem(
                reason: "it has \(header.counts.policies) policies, and there may be \(ServicePolicy.maximumCount)")
        }
    }

    /// Counts an instance.
    ///
    /// - Throws: if it is one too many, or has one name too many.
    mutating func add(_ instance: ServiceInstance, line: Int) throws(BackupProblem) {
        guard let limit = usage.replace(nil, by: instance, Self.nothing) else { return }
        let reason =
            switch limit {
            case .perName(let maximum):
                "the service '\(instance.name)' has more instances than registry.max_per_name, which is "
                    + "\(maximum): raise that"
            case .names(let maximum):
                "up to here it has more names in DNS than registry.max_names, which is \(maximum): raise that"
            case .instances, .policies, .bounds: limit.errors.map(\.message).joined(separator: "; ")
            }
        throw BackupProblem(line: line, reason: reason)
    }
}
