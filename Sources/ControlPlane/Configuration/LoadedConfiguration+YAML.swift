extension LoadedConfiguration {
    /// The effective configuration as YAML, which reads as the same configuration except for secrets: they are masked.
    ///
    /// A comment says where each value comes from that is not a default.
    public var yaml: String {
        var lines: [String] = []
        var section: [Substring] = []
        for key in ConfigurationSchema.keys {
            let path = key.path.split(separator: ".")
            let parents = path.dropLast()
            let shared = zip(parents, section).prefix { $0 == $1 }.count
            for depth in shared..<parents.count {
                lines.append(Self.indentation(depth) + "\(parents[depth]):")
            }
            section = Array(parents)
            let line = Self.indentation(parents.count) + "\(path[parents.count]): \(key.shownValue(in: configuration))"
            lines.append(line + (origins[key.path].map { "  # \(Self.comment($0))" } ?? ""))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func comment(_ origin: ConfigurationOrigin) -> String {
        switch origin {
        case .file(let path, let line, _): "\(path):\(line)".escapingControls
        case .wholeFile, .environment: origin.description.escapingControls
        }
    }

    private static func indentation(_ depth: Int) -> String { String(repeating: "  ", count: depth) }
}

extension ConfigurationKey {
    /// What is shown in place of a secret.
    static let mask = "********"

    /// The value as YAML; a secret is masked.
    func shownValue(in configuration: Configuration) -> String {
        let values = texts(configuration).map { text in
            isSecret && !text.isEmpty ? "\"\(Self.mask)\"" : Self.scalar(text, isText: acceptsQuotes)
        }
        return isList ? "[" + values.joined(separator: ", ") + "]" : values.joined()
    }

    /// A value as a YAML scalar: plain if it can't be mistaken for another type, in quotes otherwise.
    private static func scalar(_ text: String, isText: Bool) -> String {
        guard isText else { return text }
        let first = text.utf8.first ?? 0
        let startsPlain = isDigit(first) || (97...122).contains(first) || (65...90).contains(first) || first == 47
        let isPlain =
            startsPlain && !text.hasSuffix(":")
            && text.utf8.allSatisfy {
                isDigit($0) || (97...122).contains($0) || (65...90).contains($0) || "._-/:".utf8.contains($0)
            }
        let reserved = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
        // A text that reads like a number is quoted, so that other readers take it for a text too.
        if isPlain, !reserved.contains(text.lowercased()), Double(text) == nil { return text }
        var quoted = ""
        quoted.appendQuoted(text)
        return quoted
    }
}
