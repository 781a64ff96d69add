extension ConfigurationSchema {
    /// A configuration file in which every key is a comment with its default.
    ///
    /// Sections are no comments: each key takes effect when the two characters in front of it are removed.
    static var example: String {
        let defaults = Configuration()
        var lines = [
            "## The configuration of kong-discovery. Every key is here as a comment, with its default: remove",
            "## the \"# \" in front of a key to set it. kong-discovery.yaml(5) says more. After a change:",
            "##",
            "##     kong-discovery check-config --config /etc/kong-discovery/config.yaml",
            "##     systemctl reload kong-discovery      # for keys marked (reload)",
            "##     systemctl restart kong-discovery     # for all keys; no query is lost",
        ]
        var section: [Substring] = []
        for key in keys {
            let path = key.path.split(separator: ".")
            let parents = Array(path.dropLast())
            let shared = zip(parents, section).prefix { $0 == $1 }.count
            for depth in shared..<parents.count {
                if depth == 0 { lines.append("") }
                lines.append(indentation(depth) + "\(parents[depth]):")
            }
            section = parents
            let margin = indentation(parents.count)
            let reload = key.appliesOnReload ? " (reload)" : ""
            lines += wrapped("\(key.summary); \(key.allowed)\(reload)", margin: margin + "## ")
            lines.append("\(margin)# \(path[parents.count]): \(key.shownValue(in: defaults))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The longest line of comments.
    private static let width = 120

    /// The text in lines that begin with the margin.
    private static func wrapped(_ text: String, margin: String) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(margin + word)
            }
        }
        return lines
    }

    private static func indentation(_ depth: Int) -> String { String(repeating: "  ", count: depth) }
}
