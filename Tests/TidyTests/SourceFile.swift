import Foundation

/// A file of this project, by its path from the project's folder.
struct SourceFile {
    let path: String
    /// As written.
    let lines: [Substring]
    /// Without comments and the contents of string literals.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // What stands behind the last line's end is no line.
        self.lines = lines.last == "" ? lines.dropLast() : lines
        var stripper = CodeStripper()
        code = self.lines.map { stripper.strip($0) }
    }

    /// The folder in `Sources` that it is in.
    var module: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    /// The folder of its module that it is in, `Store/Etcd`; empty for files that are in none.
    var room: String { path.split(separator: "/").dropFirst(2).dropLast().joined(separator: "/") }

    /// Types that are declared in it for others to name, outside of any other.
    var declaredTypes: [String] {
        code.compactMap { line in
            let words = line.prefix { $0 != "(" && $0 != "<" && $0 != ":" && $0 != "{" && $0 != "=" }
                .split(separator: " ")
            guard line.first != " ", !words.contains("private"), !words.contains("fileprivate"),
                let place = words.firstIndex(where: { Self.declarations.contains($0) }), place + 1 < words.count
            else { return nil }
            return String(words[place + 1])
        }
    }

    private static let declarations: Set<Substring> = ["struct", "class", "enum", "protocol", "actor", "typealias"]

    /// A complaint about one line.
    func complaint(_ index: Int, _ text: String) -> String { "\(path):\(index + 1): \(text)" }

    /// Every Swift file, module map and header in these folders, or those with other names' ends.
    static func all(
        in folders: [String], suffixes: [String] = [".swift", ".h", ".modulemap"]
    ) throws -> [SourceFile] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try folders.flatMap { folder in
            let base = root.appending(path: folder)
            // Links are not followed: what they point to is read where it is.
            let paths = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
            return try paths.sorted().filter { isOurs($0, suffixes) && !isLink(base.appending(path: $0)) }.map {
                SourceFile(
                    path: "\(folder)/\($0)", text: try String(contentsOf: base.appending(path: $0), encoding: .utf8))
            }
        }
    }

    private static func isOurs(_ path: String, _ suffixes: [String]) -> Bool {
        !path.split(separator: "/").contains { $0.hasPrefix(".") } && suffixes.contains { path.hasSuffix($0) }
    }

    private static func isLink(_ url: URL) -> Bool {
        (try? url.resourceValues(forKeys: [.isSymbolicLinkKey]).isSymbolicLink) ?? false
    }
}

/// Takes comments and the contents of string literals out of Swift, line by line. Knows what this project uses: no
/// regular expression literals.
struct CodeStripper {
    /// What a string literal that goes on over lines ends with; `nil` outside of one.
    private var stringEnd: String?
    private var commentDepth = 0
    /// What a comment or a string literal may begin with.
    private static let openings = [UInt8]("/\"#".utf8)

    mutating func strip(_ line: Substring) -> String {
        if stringEnd == nil, commentDepth == 0, !line.utf8.contains(where: { Self.openings.contains($0) }) {
            return String(line)
        }
        var code = ""
        var rest = line
        while let character = rest.first {
            if let end = stringEnd {
                if rest.hasPrefix(end) {
                    rest = rest.dropFirst(end.count)
                    stringEnd = nil
                } else {
                    // An escaped quote does not end the literal; in raw ones there is nothing to escape.
                    rest = rest.dropFirst(character == "\\" && !end.hasSuffix("#") ? 2 : 1)
                }
            } else if commentDepth > 0 || rest.hasPrefix("/*") {
                if rest.hasPrefix("/*") { commentDepth += 1 }
                if rest.hasPrefix("*/") { commentDepth -= 1 }
                rest = rest.dropFirst(rest.hasPrefix("/*") || rest.hasPrefix("*/") ? 2 : 1)
            } else if rest.hasPrefix("//") {
                break
            } else if let opening = Self.stringOpening(rest) {
                rest = rest.dropFirst(opening.count)
                stringEnd = String(opening.reversed())
                code += "\"\""
            } else {
                code.append(character)
                rest = rest.dropFirst()
            }
        }
        // A literal of one line ends with it, whatever it held.
        if let end = stringEnd, !end.contains("\"\"\"") { stringEnd = nil }
        return code
    }

    /// `"`, `"""`, and both behind any number of `#`.
    private static func stringOpening(_ text: Substring) -> String? {
        let hashes = text.prefix { $0 == "#" }
        let quotes = text.dropFirst(hashes.count)
        if quotes.hasPrefix("\"\"\"") { return hashes + "\"\"\"" }
        return quotes.hasPrefix("\"") ? hashes + "\"" : nil
    }
}

extension String {
    /// Names and keywords.
    var words: [Substring] { split { !($0.isLetter || $0.isNumber || $0 == "_") } }

    /// The module that this line of code imports.
    var importedModule: String? {
        let words = split(separator: " ").drop { $0.hasPrefix("@") || Self.accessLevels.contains($0) }
        guard words.first == "import", let last = words.last else { return nil }
        return last.split(separator: ".").first.map(String.init)
    }

    private static let accessLevels: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
}
