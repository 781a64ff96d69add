/// Lines of /etc/hosts (hosts(5)).
enum HostsFile {
    /// The addresses of a service that are answered, each once.
    static func lines(_ name: String, _ instances: [JSONReading], domain: String) -> [String] {
        var seen: Set<String> = []
        return AnsweredInstances.among(instances).compactMap { instance in
            guard let ip = instance["ip"].text, seen.insert(ip).inserted else { return nil }
            return "\(ip)\t\(name).\(domain)"
        }
    }
}

/// Which instances of a service get traffic, as far as a list can tell: with the default settings they are those that
/// DNS answers.
enum AnsweredInstances {
    /// The healthy ones of the best priority; those that stand by, with weight 0, only when there are no others.
    static func among(_ instances: [JSONReading]) -> [JSONReading] {
        let healthy = instances.filter { ["passing", "warning"].contains($0["status"].text) }
        let best = healthy.compactMap { $0["priority"].number }.min()
        let group = healthy.filter { $0["priority"].number == best }
        let active = group.filter { $0["weight"].number != 0 }
        return active.isEmpty ? group : active
    }
}
