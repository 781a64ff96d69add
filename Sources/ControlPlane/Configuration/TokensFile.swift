import Yams

/// The tokens file: who may use the API. It has only the tokens' hashes, and no message repeats a value that could be a
/// token.
public struct TokensFile: Sendable {
    /// Enough for ``TokenTable/maximumCount`` tokens with a few services each.
    static let maximumOctets = 1 << 20
    private static let key = "server.tokens_file"
    private static let maximumProblems = 100
    private static let maximumServices = 1000

    /// The tokens, in the order of the file; at least one.
    let tokens: [Token]
    /// What is suspicious, each in one line.
    public let warnings: [String]
    private let path: String

    /// Reads a file.
    ///
    /// - Parameter origin: where its path comes from.
    /// - Throws: ``ConfigurationError`` with everything that is wrong.
    init(path: String, from origin: ConfigurationOrigin? = nil) throws(ConfigurationError) {
        let file: RegularFile
        do throws(RegularFile.Failure) {
            file = try RegularFile(path: path, limit: Self.maximumOctets)
        } catch {
            let message = "\(FileReason.absolute(path)): \(error.reason)"
            throw ConfigurationError([ConfigurationProblem(origin: origin, key: Self.key, message: message)])
        }
        guard let text = String(validating: file.octets, as: UTF8.self) else {
            let origin = ConfigurationOrigin.wholeFile(path)
            throw ConfigurationError([ConfigurationProblem(origin: origin, key: nil, message: "is not UTF-8 text")])
        }
        var warnings: [String] = []
        if file.isWritableByOthers {
            warnings.append("\(path): others than its owner may write it: chmod 600")
        } else if file.isReadableByOthers {
            warnings.append("\(path): everybody on this machine may read it: chmod 600")
        }
        try self.init(path: path, text: text, warnings: warnings)
    }

    /// Reads a text as if it were the file.
    init(path: String, text: String, warnings: [String] = []) throws(ConfigurationError) {
        var reader = Reader(path: path)
        reader.warnings = warnings
        reader.read(text)
        guard reader.problems.isEmpty else { throw ConfigurationError(reader.problems) }
        self.path = path
        tokens = reader.tokens
        self.warnings = reader.warnings
    }

    /// The tokens as comments in YAML: names, roles and services, with the hashes masked.
    public var listing: String {
        var lines = ["# \(tokens.count) token\(tokens.count == 1 ? "" : "s") in \(path.escapingControls):"]
        for token in tokens {
            let credential =
                switch token.credential {
                case .hash(let hash): "sha256 \(hash.masked)"
                case .subject(let subject): "subject \(subject.escapingControls)"
                }
            let services = token.services.map(\.description).joined(separator: ", ")
            let scope = token.role == .write ? ", services: \(services.isEmpty ? "*" : services)" : ""
            lines.append("#   \(token.name): \(token.role.rawValue), \(credential)\(scope)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Reads entries and collects what is wrong with them.
    private struct Reader {
        let path: String
        var tokens: [Token] = []
        var problems: [ConfigurationProblem] = []
        var warnings: [String] = []
        private var lineOfName: [String: Int] = [:]
        private var nameOfCredential: [Token.Credential: String] = [:]

        init(path: String) { self.path = path }

        private static let fields = ["name", "sha256", "subject", "role", "services"]

        mutating func read(_ text: String) {
            let document = YAMLDocument(path: path, text: text)
            problems = document.problems
            if !problems.isEmpty { return }
            guard let root = document.root, case .sequence(let entries) = root, !entries.isEmpty else {
                let found = document.root.map { $0.isNull ? "is empty" : "the file \($0.found)" } ?? "is empty"
                let origin = document.root?.origin(in: path) ?? .wholeFile(path)
                let isList = if case .sequence? = document.root { true } else { false }
                return report(
                    isList ? .wholeFile(path) : origin, nil,
                    "\(isList ? "has no token" : found); expected: a list of tokens, at least one "
                        + "('kong-discovery token' makes an entry)")
            }
            guard entries.count <= TokenTable.maximumCount else {
                return report(
                    .wholeFile(path), nil, "has \(entries.count) tokens: at most \(TokenTable.maximumCount)")
            }
            for (place, entry) in entries.enumerated() where problems.count < TokensFile.maximumProblems {
                readEntry(entry, place)
            }
        }

        private mutating func readEntry(_ entry: Node, _ place: Int) {
            let place = "[\(place)]"
            if let problem = entry.foreignTag { return report(entry, place, problem) }
            guard case .mapping(let mapping) = entry else {
                return report(entry, place, "\(entry.found); expected: name, sha256 or subject, role and services")
            }
            var name: String?
            var credential: Token.Credential?
            var role: Role?
            var services: [NamePattern]?
            var hasCredential = false
            var given: Set<String> = []
            for (keyNode, value) in mapping {
                guard let field = keyNode.scalar?.original, Self.fields.contains(field) else {
                    // What is there instead may be a secret, so a long one is not repeated.
                    let shown =
                        keyNode.scalar.map { $0.original.count <= 20 ? "\(place).\($0.original)" : place } ?? place
                    let hint =
                        ["token", "secret", "password"].contains(keyNode.scalar?.original ?? "")
                        ? ": a token itself must not be here, only its sha256" : ""
                    report(keyNode, shown, "is not a known key\(hint)")
                    continue
                }
                given.insert(field)
                let key = "\(place).\(field)"
                switch field {
                case "name": name = readName(value, key)
                case "sha256", "subject":
                    if hasCredential { report(keyNode, place, "has a sha256 and a subject: one of them is enough") }
                    hasCredential = true
                    credential = field == "subject" ? readSubject(value, key) : readHash(value, key)
                case "role": role = readRole(value, key)
                default: services = readServices(value, key)
                }
            }
            for field in ["name", "role"] where !given.contains(field) {
                report(entry, "\(place).\(field)", "is missing")
            }
            if !hasCredential { report(entry, "\(place).sha256", "is missing") }
            guard let name, let credential, let role else { return }
            check(services, of: role, name, entry, "\(place).services")
            if let first = nameOfCredential.updateValue(name, forKey: credential) {
                report(entry, place, "has the same sha256 or subject as '\(first)'")
            }
            tokens.append(Token(name: name, credential: credential, role: role, services: services ?? []))
            if let line = lineOfName[name] {
                report(entry, "\(place).name", "'\(name)' is also the name of the token in line \(line)")
            }
            lineOfName[name] = entry.mark?.line ?? 0
        }

        private mutating func check(
            _ services: [NamePattern]?, of role: Role, _ name: String, _ entry: Node, _ key: String
        ) {
            guard let services else { return }
            let limits = !services.contains(where: \.isEverything) && !services.isEmpty
            switch role {
            case .write:
                if services.isEmpty {
                    report(entry, key, "is empty, so that nothing could be changed: leave it out for all services")
                }
            case .read:
                if limits {
                    warnings.append("\(path): the token '\(name)' reads everything: services limit changes only")
                }
            case .admin:
                if limits { report(entry, key, "can't limit an admin, who may change everything") }
            }
        }

        private mutating func readName(_ node: Node, _ key: String) -> String? {
            guard let text = text(node, key, "a name") else { return nil }
            if Token.isName(text) { return text }
            report(
                node, key,
                "is not 1 to \(Token.maximumNameLength) printable characters of ASCII without blanks, "
                    + "quotes and backslashes")
            return nil
        }

        private mutating func readHash(_ node: Node, _ key: String) -> Token.Credential? {
            guard let text = text(node, key, "64 hexadecimal digits") else { return nil }
            if let hash = TokenHash(hexadecimal: text) { return .hash(hash) }
            report(node, key, "is not the SHA-256 of a token: 64 hexadecimal digits (printf %s TOKEN | sha256sum)")
            return nil
        }

        private mutating func readSubject(_ node: Node, _ key: String) -> Token.Credential? {
            guard let text = text(node, key, "a certificate's subject") else { return nil }
            let isPlain = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            if !text.isEmpty, text.count <= Token.maximumSubjectLength, isPlain { return .subject(text) }
            report(node, key, "is not 1 to \(Token.maximumSubjectLength) characters without control characters")
            return nil
        }

        private mutating func readRole(_ node: Node, _ key: String) -> Role? {
            guard let text = text(node, key, "read, write or admin") else { return nil }
            if let role = Role(rawValue: text) { return role }
            report(node, key, "is unknown: read, write or admin")
            return nil
        }

        private mutating func readServices(_ node: Node, _ key: String) -> [NamePattern]? {
            if let problem = node.foreignTag {
                report(node, key, problem)
                return nil
            }
            let elements: [Node]
            switch node {
            case .sequence(let sequence): elements = Array(sequence)
            // A single name is read as a list of one.
            case .scalar where !node.isNull: elements = [node]
            default:
                report(node, key, "\(node.found); expected: a list of services' names, such as [orders*, billing]")
                return nil
            }
            if elements.count > TokensFile.maximumServices {
                report(node, key, "has \(elements.count) names: at most \(TokensFile.maximumServices)")
                return nil
            }
            var patterns: [NamePattern] = []
            for (index, element) in elements.enumerated() {
                guard let text = text(element, "\(key)[\(index)]", "a service's name") else { continue }
                if let pattern = NamePattern(text) {
                    patterns.append(pattern)
                } else {
                    report(
                        element, "\(key)[\(index)]",
                        "is no service's name: letters, digits and hyphens, at the end perhaps *")
                }
            }
            return patterns.count == elements.count ? patterns : nil
        }

        private mutating func text(_ node: Node, _ key: String, _ expected: String) -> String? {
            if let problem = node.foreignTag {
                report(node, key, problem)
                return nil
            }
            guard case .scalar(let scalar) = node, !node.isNull else {
                report(node, key, "\(node.found); expected: \(expected)")
                return nil
            }
            return scalar.original
        }

        private mutating func report(_ node: Node, _ key: String?, _ message: String) {
            report(node.origin(in: path), key, message)
        }

        private mutating func report(_ origin: ConfigurationOrigin, _ key: String?, _ message: String) {
            problems.append(ConfigurationProblem(origin: origin, key: key, message: message))
        }
    }
}

extension LoadedConfiguration {
    /// The tokens file that it names; `nil`: none, so that no token is needed.
    ///
    /// - Throws: ``ConfigurationError`` with everything that is wrong with the file.
    public func tokensFile() throws(ConfigurationError) -> TokensFile? {
        let path = configuration.server.tokensFile
        return path.isEmpty ? nil : try TokensFile(path: path, from: origins["server.tokens_file"])
    }
}
