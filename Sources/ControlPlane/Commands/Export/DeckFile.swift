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
        var lines = isFirst ? ["upstreams:"] : []
        lines += ["- name: \(quoted("\(name).\(domain)"))", "  tags:", "  - \(tag)", "  targets:"]
        var weights: [String: Int] = [:]
        for instance in AnsweredInstances.among(instances) {
            let target = InstanceText.address(instance)
            // Those that stand by have the weight 0. DNS answers a doubled target with the higher weight.
            weights[target] = max(weights[target] ?? 1, instance["weight"].number ?? 0)
        }
        // Kong refuses the same target twice.
        var seen: Set<String> = []
        for target in instances.map(InstanceText.address) where seen.insert(target).inserted {
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
