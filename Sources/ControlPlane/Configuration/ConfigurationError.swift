/// Everything that is wrong with a configuration.
public struct ConfigurationError: Error, Sendable, Equatable {
    /// The problems, first those of the file and then those of the environment; not empty.
    public let problems: [ConfigurationProblem]

    init(_ problems: [ConfigurationProblem]) { self.problems = problems }
}

extension ConfigurationError: CustomStringConvertible {
    /// One line for each problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// One thing that is wrong with a configuration.
public struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// Where the value was set, or `nil` if the problem follows from several values.
    public let origin: ConfigurationOrigin?
    /// The path of the key, with an index for an element of a list; `nil`: the file as a whole.
    public let key: String?
    /// What is wrong and what is allowed.
    public let message: String

    /// `kong-discovery.yaml:7:8: dns.ttl: '0s' is too small: 1s or more`, always one line.
    public var description: String {
        [origin?.description, key, message].compactMap { $0?.escapingControls }.joined(separator: ": ")
    }
}

/// Where a value comes from.
public enum ConfigurationOrigin: Sendable, Equatable, CustomStringConvertible {
    /// The configuration file as a whole.
    case wholeFile(String)
    /// A place in the configuration file; line and column count from 1.
    case file(String, line: Int, column: Int)
    /// An environment variable.
    case environment(String)

    /// `kong-discovery.yaml:7:8` or the variable's name.
    public var description: String {
        switch self {
        case .wholeFile(let path): path
        case .file(let path, let line, let column): "\(path):\(line):\(column)"
        case .environment(let name): name
        }
    }
}

/// A value as written, not parsed yet.
struct WrittenValue {
    let key: ConfigurationKey
    let origin: ConfigurationOrigin
    /// The texts, each with its place; exactly one unless the key is a list.
    let elements: [(text: String, origin: ConfigurationOrigin)]
    /// Whether it is a list of one element that was written without brackets or dashes.
    var isSingle = false
}

extension String {
    /// The text, cut off if it is too long for a message.
    var shortened: String { count > 80 ? prefix(80) + "…" : self }
}
