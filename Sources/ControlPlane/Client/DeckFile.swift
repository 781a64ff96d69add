/// A declarative configuration that `deck gateway sync` reads: an upstream for each service.
///
/// Its entities carry a tag, and the file selects it, so that decK leaves all others of the gateway alone.
enum DeckFile {
    static let tag = "kong-discovery"

    static let head = """
        _format_version: "3.0"
        _info:
          select_tags:
          - \(tag)
        """ + "\n"

    /// A file without services.
    static let nothing = "upstreams: []\n"

    /// An upstream, which has the name under which the service is known in DNS: for Kong it then stands in front of DNS
    /// wherever a service of Kong's has that host.
    ///
    /// Kong has no groups of priorities and no states: what is not answered in DNS has the weight 0, with which Kong
    /// sends nothing to it.
    static func upstream(_ name: String, _ instances: [JSONReading], domain: String, isFirst: Bool) -> String {
        let best = AnsweredInstances.bestPriority(instances)
        var lines = isFirst ? ["upstreams:"] : []
        lines += ["- name: \(quoted("\(name).\(domain)"))", "  tags:", "  - \(tag)", "  targets:"]
        var weights: [String: Int] = [:]
        var order: [String] = []
        for instance in instances {
            let target = InstanceText.address(instance)
            let isAnswered = AnsweredInstances.isHealthy(instance) && instance["priority"].number == best
            let weight = isAnswered ? instance["weight"].number ?? 0 : 0
            // Kong refuses the same target twice; DNS answers the higher weight.
            if weights[target] == nil { order.append(target) }
            weights[target] = max(weights[target] ?? 0, weight)
        }
        // Those that stand by (weight 0) are answered when there are no others.
        let isStandby = weights.values.allSatisfy { $0 == 0 }
        if isStandby {
            for instance in instances where AnsweredInstances.isHealthy(instance) && instance["priority"].number == best
            {
                weights[InstanceText.address(instance)] = 1
            }
        }
        for target in order {
            lines += [
                "  - target: \(quoted(target))", "    weight: \(weights[target] ?? 0)", "    tags:", "    - \(tag)",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func quoted(_ text: String) -> String {
        var quoted = ""
        quoted.appendQuoted(text)
        return quoted
    }
}
