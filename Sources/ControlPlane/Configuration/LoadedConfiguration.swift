/// A configuration in force, with the origin of each value, so that it can be shown and read again.
public struct LoadedConfiguration: Sendable {
    /// The values.
    public let configuration: Configuration
    /// The path of the configuration file, or `nil` if there is none.
    public let file: String?
    /// The origin of each value that was set, by the key's path.
    public let origins: [String: ConfigurationOrigin]

    private let environment: [String: String]

    /// Reads the configuration: the file overrides the defaults, and the environment overrides the file.
    ///
    /// - Parameters:
    ///   - file: the path of a YAML file; `nil`: no file is read.
    ///   - environment: the process's environment variables.
    /// - Throws: ``ConfigurationError`` with everything that is wrong.
    public init(file: String?, environment: [String: String]) throws(ConfigurationError) {
        try self.init(file.map { ConfigurationFile(path: $0) }, path: file, environment: environment)
    }

    /// The `log` section as the environment sets it, even if other variables are wrong; defaults replace unusable
    /// values.
    public static func log(environment: [String: String]) -> Configuration.Log {
        var configuration = Configuration()
        for value in ConfigurationEnvironment(environment).values where value.key.path.hasPrefix("log.") {
            _ = value.key.assign(value.elements.map(\.text), &configuration)
        }
        return configuration.log
    }

    /// Reads a text as if it were the file.
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
        // Variables that set no key are reported after the values of those that do.
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
    /// - Throws: ``ConfigurationError`` with everything that is wrong now; keep the old configuration then.
    public func reloaded() throws(ConfigurationError) -> LoadedConfiguration {
        try LoadedConfiguration(file: file, environment: environment)
    }

    /// The paths of keys that differ from an older configuration but take effect only at the next start.
    public func keysAwaitingRestart(since older: LoadedConfiguration) -> [String] {
        ConfigurationSchema.keys
            .filter { !$0.appliesOnReload && $0.texts(configuration) != $0.texts(older.configuration) }
            .map(\.path)
    }

    /// The problems of upstreams that are this server itself.
    private static func ownUpstreams(
        of configuration: Configuration, _ values: [WrittenValue], besides problems: [ConfigurationProblem]
    ) -> [ConfigurationProblem] {
        // Values with problems were replaced by defaults, which say nothing about what was meant.
        let isReported = problems.contains { problem in
            ["dns.listen", "dns.upstream.servers"].contains { problem.key?.hasPrefix($0) == true }
        }
        // The environment comes last, and is in force.
        guard !isReported, let servers = values.last(where: { $0.key.path == "dns.upstream.servers" }) else {
            return []
        }
        return configuration.ownUpstreams { (try? MachineAddresses.current()) ?? [] }.map { index, listener in
            servers.problem(ValueProblem(index: index, reason: "is this server itself: it listens on \(listener)"))
        }
    }

    /// The sort key of problems: by position in the file, then by name in the environment.
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
    /// Whether the value is the mask that is shown in place of a secret.
    fileprivate var isMask: Bool { key.isSecret && elements.map(\.text) == [ConfigurationKey.mask] }

    /// The problem with the value's place, path and text.
    fileprivate func problem(_ problem: ValueProblem) -> ConfigurationProblem {
        let path = problem.index.map { isSingle ? key.path : "\(key.path)[\($0)]" } ?? key.path
        let origin = problem.index.map { elements[$0].origin } ?? origin
        return ConfigurationProblem(origin: origin, key: path, message: "\(shownText(problem.index)) \(problem.reason)")
    }

    /// The text of an element or the whole value for messages: shortened, and without secrets.
    private func shownText(_ index: Int?) -> String {
        if key.isSecret { return "the value" }
        let texts = index.map { [elements[$0].text] } ?? elements.map(\.text)
        let shown = texts.joined(separator: ", ").shortened
        return key.isList && index == nil ? "[\(shown)]" : "'\(shown)'"
    }
}
