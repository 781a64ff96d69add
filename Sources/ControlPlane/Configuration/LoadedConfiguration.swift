import Engine

/// A configuration that is in force, with where each value came from, so that it can be shown and read again.
public struct LoadedConfiguration: Sendable {
    /// The values.
    public let configuration: Configuration
    /// The configuration file; `nil`: there is none.
    public let file: String?
    /// Where each value that is written somewhere comes from, by the key's path.
    public let origins: [String: ConfigurationOrigin]

    private let environment: [String: String]

    /// Reads the configuration: defaults, over them the file, over it the environment.
    ///
    /// - Parameters:
    ///   - file: the path of a YAML file; `nil`: none is read.
    ///   - environment: the process's environment variables.
    /// - Throws: ``ConfigurationError`` with everything that is wrong.
    public init(file: String?, environment: [String: String]) throws(ConfigurationError) {
        try self.init(file.map { ConfigurationFile(path: $0) }, path: file, environment: environment)
    }

    /// Reads a text as if it were the file's.
    init(yaml: String, file: String, environment: [String: String] = [:]) throws(ConfigurationError) {
        try self.init(ConfigurationFile(path: file, text: yaml), path: file, environment: environment)
    }

    private init(
        _ contents: ConfigurationFile?,
        path: String?,
        environment variables: [String: String]
    ) throws(ConfigurationError) {
        let environment = ConfigurationEnvironment(variables)
        var configuration = Configuration()
        var origins: [String: ConfigurationOrigin] = [:]
        var problems = contents?.problems ?? []
        // Variables that set no key at all come after the values of those that do.
        for value in (contents?.values ?? []) + environment.values {
            let found = value.key.assign(value.elements.map(\.text), &configuration)
            problems += found.map { value.problem($0) }
            origins[value.key.path] = value.origin
        }
        problems += environment.problems
        problems += Self.ownUpstreams(
            of: configuration, (contents?.values ?? []) + environment.values, besides: problems)
        problems.sort { Self.position(of: $0) < Self.position(of: $1) }
        problems += Self.conflicts(in: configuration, besides: problems)
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        self.configuration = configuration
        self.origins = origins
        self.file = path
        self.environment = variables
    }

    /// Reads the same file and environment again.
    ///
    /// - Throws: ``ConfigurationError`` with everything that is wrong now; go on with the old configuration then.
    public func reloaded() throws(ConfigurationError) -> LoadedConfiguration {
        try LoadedConfiguration(file: file, environment: environment)
    }

    /// The paths of keys that differ from an older configuration but take effect at the next start alone.
    public func keysAwaitingRestart(since older: LoadedConfiguration) -> [String] {
        ConfigurationSchema.keys
            .filter { !$0.appliesOnReload && $0.texts(configuration) != $0.texts(older.configuration) }
            .map(\.path)
    }

    /// What is wrong between values that are right one by one.
    private static func conflicts(
        in configuration: Configuration,
        besides problems: [ConfigurationProblem]
    ) -> [ConfigurationProblem] {
        var conflicts: [ConfigurationProblem] = []
        var seen: Set<SocketAddress> = []
        // Port 0 is another port each time.
        for address in configuration.dns.listen where address.port != 0 && !seen.insert(address).inserted {
            let message = "'\(address)' is given more than once"
            conflicts.append(ConfigurationProblem(origin: nil, key: "dns.listen", message: message))
        }
        let isListenReported = problems.contains {
            $0.key == "server.listen" || $0.key?.hasPrefix("dns.listen") ?? false
        }
        if !isListenReported, seen.contains(configuration.server.listen) {
            let message = "'\(configuration.server.listen)' is also in dns.listen: each needs a TCP port of its own"
            conflicts.append(ConfigurationProblem(origin: nil, key: "server.listen", message: message))
        }
        return conflicts + reverseConflicts(in: configuration)
    }

    /// Which upstreams are this server itself, each at its place.
    private static func ownUpstreams(
        of configuration: Configuration, _ values: [WrittenValue], besides problems: [ConfigurationProblem]
    ) -> [ConfigurationProblem] {
        // Where something is wrong with these keys, the defaults stand in for what was meant.
        let isReported = problems.contains { problem in
            ["dns.listen", "dns.upstream.servers"].contains { problem.key?.hasPrefix($0) == true }
        }
        // The environment's, which comes last, is the one in force.
        guard !isReported, let servers = values.last(where: { $0.key.path == "dns.upstream.servers" }) else {
            return []
        }
        return configuration.ownUpstreams { (try? MachineAddresses.current()) ?? [] }.map { index, listener in
            servers.problem(ValueProblem(index: index, reason: "is this server itself: it listens on \(listener)"))
        }
    }

    private static func reverseConflicts(in configuration: Configuration) -> [ConfigurationProblem] {
        func problem(_ message: String) -> ConfigurationProblem {
            ConfigurationProblem(origin: nil, key: "dns.reverse", message: message)
        }
        let networks = configuration.dns.reverse
        if let small = networks.first(where: { !$0.canBeReversed }) {
            return [problem("'\(small)' is too small: give at least a /24, or a /124 of IPv6")]
        }
        let count = networks.reduce(0) { $0 + $1.reverseParts.count }
        guard count > ReverseZones.maximumCount else { return [] }
        return [
            problem(
                "makes \(count) zones, of which there may be \(ReverseZones.maximumCount): "
                    + "give networks whose prefixes end with an octet, or a hexadecimal digit of IPv6")
        ]
    }

    /// The order of problems: as in the file, then the environment by name.
    private static func position(of problem: ConfigurationProblem) -> (Int, Int, String) {
        switch problem.origin {
        case .wholeFile: (0, 0, "")
        case .file(_, let line, let column): (line, column, "")
        case .environment(let name): (Int.max, 0, name)
        case nil: (Int.max, Int.max, "")
        }
    }
}

extension WrittenValue {
    /// A problem with the value's place, path and text.
    fileprivate func problem(_ problem: ValueProblem) -> ConfigurationProblem {
        let path = problem.index.map { "\(key.path)[\($0)]" } ?? key.path
        let origin = problem.index.map { elements[$0].origin } ?? origin
        return ConfigurationProblem(origin: origin, key: path, message: "\(shownText(problem.index)) \(problem.reason)")
    }

    /// The text of an element or of the whole value as messages show it: not too long, and no secret.
    private func shownText(_ index: Int?) -> String {
        if key.isSecret { return "the value" }
        let texts = index.map { [elements[$0].text] } ?? elements.map(\.text)
        let shown = texts.joined(separator: ", ").shortened
        return key.isList && index == nil ? "[\(shown)]" : "'\(shown)'"
    }
}
