import Yams

/// The document in a YAML file, and what is wrong with its form.
struct YAMLDocument {
    private let path: String
    /// Its content; `nil` if there is none, or its form is wrong.
    private(set) var root: Node?
    private(set) var problems: [ConfigurationProblem] = []

    /// Reads a text.
    ///
    /// - Parameter path: the file's, for messages.
    init(path: String, text: String) {
        self.path = path
        let source = YAMLSource(text)
        if let (line, column) = source.firstAnchor {
            // A few lines of aliases can expand to more values than memory holds, and a configuration never needs them.
            let place = ConfigurationOrigin.file(path, line: line, column: column)
            report(place, nil, "anchors and aliases (& and *) can't be used here")
            return
        }
        do {
            root = try Yams.compose(yaml: source.text)
        } catch let error as YamlError {
            report(error)
        } catch {
            report(.wholeFile(path), nil, "can't be read as YAML")
        }
    }

    private mutating func report(_ origin: ConfigurationOrigin, _ key: String?, _ message: String) {
        problems.append(ConfigurationProblem(origin: origin, key: key, message: message))
    }

    private mutating func report(_ error: YamlError) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let text = context.map { "\($0.text), \(problem)" } ?? problem
            let hint =
                problem.contains("cannot start any token")
                ? " (a tab? YAML indents with spaces)"
                : context?.text.contains("alias") == true ? " (a text that begins with * needs quotes)" : ""
            report(.file(path, line: mark.line, column: mark.column), nil, "is not YAML: \(text)\(hint)")
        case .duplicatedKeysInMapping(let names, let context):
            let place = ConfigurationOrigin.file(path, line: context.mark.line, column: context.mark.column)
            for name in names { report(place, name.shortened, "is given more than once in the same mapping") }
        case .reader(let problem, _, _, _):
            report(.wholeFile(path), nil, "is not YAML: \(problem)")
        default:
            report(.wholeFile(path), nil, "can't be read as YAML")
        }
    }
}

extension Node.Scalar {
    /// The text as it is written in the file.
    var original: String { style == .plain ? YAMLSource.original(string) : string }
}

extension Node {
    /// Whether the node is empty: `~`, `null` or absent.
    var isNull: Bool {
        guard case .scalar(let scalar) = self, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// The kind of node, for messages.
    var found: String {
        switch self {
        case .scalar: isNull ? "has no value" : "is a single value"
        case .mapping: "is a mapping"
        case .sequence: "is a list"
        case .alias: "is an alias"
        }
    }

    /// What is wrong with a tag that means nothing here (`!secret`), and would be ignored silently.
    var foreignTag: String? {
        let tag = tag.description
        if tag.isEmpty || tag.hasPrefix("tag:yaml.org,2002:") { return nil }
        return "has the tag '\(tag)', which means nothing here"
    }

    /// Its place in a file.
    func origin(in path: String) -> ConfigurationOrigin {
        guard let mark else { return .wholeFile(path) }
        return .file(path, line: mark.line, column: mark.column)
    }
}
