/// A YAML text prepared for the parser in one pass. The pass knows just enough of the grammar to tell where values
/// begin, and to skip quoted strings and comments.
struct YAMLSource {
    /// The text for the parser. Its lines and columns are those of the original.
    private(set) var text = ""
    /// The line and column (from 1, in Unicode scalars) of the first `&anchor` before a value, or `nil`.
    private(set) var firstAnchor: (line: Int, column: Int)?

    /// Stands for a colon at the beginning of a value. `[::1/128]` is valid YAML (1.2 §7.3.3), but libyaml takes the
    /// colons for the mark between a key and its value.
    private static let leadingColon: Unicode.Scalar = "\u{F03A}"

    /// Whether a value can begin here, and so an anchor, a quote or a tag.
    private var isAtStart = true
    private var previous: Unicode.Scalar = "\n"
    private var quote: Unicode.Scalar?
    private var isEscaped = false
    private var isInComment = false
    private var isInTag = false

    /// Reads a text.
    init(_ original: String) {
        text.reserveCapacity(original.utf8.count)
        var (line, column) = (1, 1)
        let scalars = original.unicodeScalars
        var index = scalars.startIndex
        while index < scalars.endIndex {
            let scalar = scalars[index]
            scalars.formIndex(after: &index)
            let next = index < scalars.endIndex ? scalars[index] : "\n"
            let isLeadingColon = read(scalar, next: next)
            if scalar == "&" && isAtStart && quote == nil && !isInComment && firstAnchor == nil {
                firstAnchor = (line, column)
            }
            text.unicodeScalars.append(isLeadingColon ? Self.leadingColon : scalar)
            if scalar == "\n" { (line, column) = (line + 1, 1) } else { column += 1 }
            previous = isLeadingColon ? Self.leadingColon : scalar
        }
    }

    /// A plain scalar of the parsed text as it was originally written.
    static func original(_ scalar: String) -> String {
        let colons = scalar.unicodeScalars.prefix { $0 == leadingColon }.count
        return String(repeating: ":", count: colons) + String(scalar.unicodeScalars.dropFirst(colons))
    }

    /// Reads one scalar, and returns whether it is one of the colons that begin a value.
    private mutating func read(_ scalar: Unicode.Scalar, next: Unicode.Scalar) -> Bool {
        if let quote {
            if isEscaped {
                isEscaped = false
            } else if quote == "\"" && scalar == "\\" {
                isEscaped = true
            } else if scalar == quote {
                self.quote = nil
            }
            return false
        }
        let isAfterSpace = previous == " " || previous == "\t" || previous == "\n"
        switch scalar {
        case "\n":
            (isAtStart, isInComment, isInTag) = (true, false, false)
        case _ where isInComment:
            break
        case "#" where isAfterSpace:
            isInComment = true
        case " ", "\t", "\r":
            isAtStart = isAtStart || isInTag || previous == "-" || previous == "?"
            isInTag = false
        case "&" where isAtStart:
            break
        // A quote right after the closing one is an escaped quote within the string.
        case "\"" where isAtStart, "'" where isAtStart || previous == "'":
            (quote, isAtStart) = (scalar, false)
        case ":" where previous == Self.leadingColon || isAtStart && next == ":":
            isAtStart = false
            return true
        case "[", "{", ",", ":":
            isAtStart = true
        case "!" where isAtStart:
            (isInTag, isAtStart) = (true, false)
        default:
            isAtStart = false
        }
        return false
    }
}
