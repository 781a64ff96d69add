import Foundation

/// A file of this project, by its path from the project's folder.
struct SourceFile {
    let path: String
    /// As written.
    let lines: [Substring]
    /// Without comments and the contents of string literals.
    let code: [String]
    /// Names and keywords of each line of code.
    let words: [[Substring]]

    init(path: String, text: String) {
        self.path = path
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // What stands behind the last line's end is no line.
        self.lines = lines.last == "" ? lines.dropLast() : lines
        var stripper = CodeStripper()
        code = self.lines.map { stripper.strip($0) }
        words = code.map(\.words)
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
        code.compactMap { $0.first == " " ? nil : Self.declaredName($0, Self.types) }
    }

    /// Functions that are declared in it for others to call, outside of any type.
    var declaredFunctions: [String] {
        code.compactMap { $0.first == " " ? nil : Self.declaredName($0, ["func"]) }
    }

    /// The types that it extends, with the members that it adds to each for others to name.
    var extensions: [(type: String, members: [String])] {
        var extensions: [(type: String, members: [String])] = []
        var isExtension = false
        for line in code {
            if let first = line.first, first != " ", first != "}", first != ")" {
                let type = Self.declaredName(line, ["extension"])
                isExtension = type != nil
                if let type { extensions.append((type, [])) }
            } else if isExtension, line.hasPrefix("    "), !line.hasPrefix("     "),
                let member = Self.declaredName(line, Self.declarations)
            {
                extensions[extensions.count - 1].members.append(member)
            }
        }
        return extensions
    }

    /// All names that stand for something of its own, or of a type: declarations, cases, and labels.
    var ownNames: Set<String> {
        var names: Set<String> = []
        for (line, words) in zip(code, words) {
            if words.contains("case") { names.formUnion(words.map(String.init)) }
            for (word, next) in zip(words, words.dropFirst()) where Self.declarations.contains(word) {
                names.insert(String(next))
            }
            for word in words where word.endIndex < line.endIndex && line[word.endIndex] == ":" {
                names.insert(String(word))
            }
        }
        return names
    }

    private static func declaredName(_ line: String, _ kinds: Set<Substring>) -> String? {
        let words = line.prefix { !"(<:{=.".contains($0) }.split(separator: " ")
        guard !words.contains("private"), !words.contains("fileprivate"),
            let place = words.firstIndex(where: { kinds.contains($0) }), place + 1 < words.count
        else { return nil }
        return String(words[place + 1])
    }

    private static let types: Set<Substring> = ["struct", "class", "enum", "protocol", "actor", "typealias"]
    private static let declarations = types.union(["func", "var", "let"])

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
