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

    /// What the environment says of the log, whatever else it says; the defaults where that can't be used.
    public static func log(environment: [String: String]) -> Configuration.Log {
        var configuration = Configuration()
        for value in ConfigurationEnvironment(environment).values where value.key.path.hasPrefix("log.") {
            _ = value.key.assign(value.elements.map(\.text), &configuration)
        }
        return configuration.log
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
        let overridden = Set(environment.values.map(\.key.path))
        for value in (contents?.values ?? []).filter({ !overridden.contains($0.key.path) || !$0.isMask })
            + environment.values
        {
            if value.isMask {
                problems.append(value.problem(ValueProblem(reason: Self.maskAdvice)))
                continue
            }
            let found = value.key.assign(value.elements.map(\.text), &configuration)
            problems += found.map { value.problem($0) }
            origins[value.key.path] = value.origin
        }
        problems += environment.problems
        problems += Self.ownUpstreams(
            of: configuration, (contents?.values ?? []) + environment.values, besides: problems)
        problems.sort { Self.position(of: $0) < Self.position(of: $1) }
        problems += ConfigurationConflicts.problems(in: configuration, origins, besides: problems)
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        self.configuration = configuration
        self.origins = origins
        self.file = path
        self.environment = variables
    }

    private static let maskAdvice = "is what check-config shows in its place: write the secret itself"

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
    /// Whether it is what stands for a secret where the configuration is shown.
    fileprivate var isMask: Bool { key.isSecret && elements.map(\.text) == [ConfigurationKey.mask] }

    /// A problem with the value's place, path and text.
    fileprivate func problem(_ problem: ValueProblem) -> ConfigurationProblem {
        let path = problem.index.map { isSingle ? key.path : "\(key.path)[\($0)]" } ?? key.path
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
