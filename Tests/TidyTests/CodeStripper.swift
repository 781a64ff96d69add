/// Takes comments and the contents of string literals out of Swift, line by line, but keeps code in literals. Knows
/// what this project uses: no regular expression literals.
struct CodeStripper {
    /// What the next character is in.
    private enum Context {
        /// A string literal: what it ends with, and what stands before an escaped character.
        case literal(end: String, escape: String)
        /// Code in a string literal, and the number of its open parentheses.
        case interpolation(depth: Int)
    }

    /// From outside to inside; empty: code.
    private var contexts: [Context] = []
    private var commentDepth = 0
    /// What a comment or a string literal may begin with.
    private static let openings = [UInt8]("/\"#".utf8)

    mutating func strip(_ line: Substring) -> String {
        if contexts.isEmpty, commentDepth == 0, !line.utf8.contains(where: { Self.openings.contains($0) }) {
            return String(line)
        }
        var code = ""
        var rest = line
        while !rest.isEmpty {
            if case .literal(let end, let escape)? = contexts.last {
                stripLiteral(&rest, &code, end: end, escape: escape)
            } else if commentDepth > 0 || rest.hasPrefix("/*") {
                if rest.hasPrefix("/*") { commentDepth += 1 }
                if rest.hasPrefix("*/") { commentDepth -= 1 }
                rest = rest.dropFirst(rest.hasPrefix("/*") || rest.hasPrefix("*/") ? 2 : 1)
            } else if rest.hasPrefix("//") {
                break
            } else {
                keepCode(&rest, &code)
            }
        }
        // A literal of one line ends with it, whatever it held.
        if case .literal(let end, _)? = contexts.last, !end.contains("\"\"\"") { contexts.removeLast() }
        return code
    }

    private mutating func stripLiteral(_ rest: inout Substring, _ code: inout String, end: String, escape: String) {
        if rest.hasPrefix(end) {
            rest = rest.dropFirst(end.count)
            contexts.removeLast()
        } else if rest.hasPrefix(escape + "(") {
            rest = rest.dropFirst(escape.count + 1)
            contexts.append(.interpolation(depth: 0))
            code += " "
        } else {
            // An escaped quote does not end the literal.
            rest = rest.dropFirst(rest.hasPrefix(escape) ? escape.count + 1 : 1)
        }
    }

    private mutating func keepCode(_ rest: inout Substring, _ code: inout String) {
        if let opening = Self.stringOpening(rest) {
            rest = rest.dropFirst(opening.count)
            let escape = "\\" + opening.filter { $0 == "#" }
            contexts.append(.literal(end: String(opening.reversed()), escape: escape))
            code += "\"\""
            return
        }
        let character = rest.removeFirst()
        if case .interpolation(let depth)? = contexts.last, "()".contains(character) {
            contexts.removeLast()
            if character == ")", depth == 0 {
                code += " "
                return
            }
            contexts.append(.interpolation(depth: depth + (character == "(" ? 1 : -1)))
        }
        code.append(character)
    }

    /// `"`, `"""`, and both behind any number of `#`.
    private static func stringOpening(_ text: Substring) -> String? {
        let hashes = text.prefix { $0 == "#" }
        let quotes = text.dropFirst(hashes.count)
        if quotes.hasPrefix("\"\"\"") { return hashes + "\"\"\"" }
        return quotes.hasPrefix("\"") ? hashes + "\"" : nil
    }
}
