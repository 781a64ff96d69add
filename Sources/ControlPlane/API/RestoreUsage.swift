/// Checks what a backup has against the limits of the registry, as if nothing else were registered. Pure.
struct RestoreUsage: Sendable {
    /// How many instances of each service there are.
    private var members: [String: Int] = [:]
    /// The parts of each service that have names.
    private var parts: [String: Set<ServicePart>] = [:]
    private var nameCount = 0

    /// Checks the header.
    func check(_ header: BackupHeader, _ registry: Registry) throws(BackupProblem) {
        if header.counts.instances > registry.limits.maximumInstances {
            throw BackupProblem(
                reason: "it has \(header.counts.instances) instances, and registry.max_instances is "
                    + "\(registry.limits.maximumInstances): raise that")
        }
        if header.counts.policies > ServicePolicy.maximumCount {
            throw BackupProblem(
                reason: "it has \(header.counts.policies) policies, and there may be \(ServicePolicy.maximumCount)")
        }
    }

    /// Counts an instance.
    ///
    /// - Throws: if it is one too many, or has one name too many.
    mutating func add(_ instance: ServiceInstance, line: Int, _ registry: Registry) throws(BackupProblem) {
        let limits = registry.limits
        members[instance.name, default: 0] += 1
        if members[instance.name] ?? 0 > limits.maximumPerName {
            throw BackupProblem(
                line: line,
                reason: "the service '\(instance.name)' has more instances than registry.max_per_name, which is "
                    + "\(limits.maximumPerName): raise that")
        }
        for part in instance.parts where part.hasName(in: instance.name) {
            if parts[instance.name, default: []].insert(part).inserted { nameCount += 1 }
        }
        if nameCount > limits.maximumNames {
            throw BackupProblem(
                line: line,
                reason: "up to here it has more names in DNS than registry.max_names, which is "
                    + "\(limits.maximumNames): raise that")
        }
    }
}
