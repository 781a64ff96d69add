/// Lines of /etc/hosts (hosts(5)).
enum HostsFile {
    /// The addresses of a service that are answered, each once.
    static func lines(_ name: String, _ instances: [JSONReading], domain: String) -> [String] {
        var seen: Set<String> = []
        return instances.compactMap { instance in
            guard let ip = instance["ip"].text, AnsweredInstances.isHealthy(instance), seen.insert(ip).inserted else {
                return nil
            }
            return "\(ip)\t\(name).\(domain)"
        }
    }
}

/// Which instances get traffic, as far as a list can tell.
enum AnsweredInstances {
    static func isHealthy(_ instance: JSONReading) -> Bool {
        ["passing", "warning"].contains(instance["status"].text)
    }

    /// The best priority that a healthy instance has; `nil`: none is healthy.
    static func bestPriority(_ instances: [JSONReading]) -> Int? {
        instances.filter(isHealthy).compactMap { $0["priority"].number }.min()
    }
}
