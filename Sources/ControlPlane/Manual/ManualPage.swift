/// Writes a manual page: the source of man(7), in ASCII, which groff and mandoc read alike.
struct ManualPage {
    private(set) var text: String
    /// Whether nothing stands under the last heading yet: a paragraph there needs no request.
    private var isFresh = false

    /// Begins a page.
    ///
    /// - Parameters:
    ///   - name: its name, `kong-discovery`.
    ///   - section: the section of the manual.
    ///   - date: the day of the release, `2026-11-27`.
    ///   - title: the name of that section, as its pages have it above their text.
    init(_ name: String, section: Int, date: String, title: String) {
        text = ""
        // The date as it is, which mandoc reads.
        text += ".TH \"\(Self.escape(name.uppercased()))\" \(section) \"\(date)\" "
        text += "\"kong\\-discovery \(Version.current)\" \"\(title)\"\n"
        // No hyphenation and no wide gaps: commands and keys are to be copied.
        text += ".nh\n.ad l\n"
    }

    /// A heading.
    mutating func heading(_ words: String) { request(".SH", words) }

    /// A heading within a section.
    mutating func subheading(_ words: String) { request(".SS", words) }

    /// A paragraph, which is filled.
    mutating func paragraph(_ words: String) {
        beginParagraph()
        text += "\(Self.line(words))\n"
    }

    /// What a term means; the term is bold.
    mutating func definition(_ term: String, _ paragraphs: String...) {
        isFresh = false
        text += ".TP\n\\fB\(Self.escape(term))\\fR\n"
        text += paragraphs.filter { !$0.isEmpty }.map { "\(Self.line($0))\n" }.joined(separator: ".IP\n")
    }

    /// Lines that stay as they are: commands, files.
    mutating func example(_ lines: [String]) {
        beginParagraph()
        text += ".nf\n.RS 4\n" + lines.map { "\(Self.line($0))\n" }.joined() + ".RE\n.fi\n"
    }

    /// Text as help has it: paragraphs and indented lines, with empty lines between them. A line in capitals with a
    /// colon at its end, `EXAMPLES:`, is a heading if the page has room for one.
    mutating func prose(_ words: String, hasHeadings: Bool = false) {
        var block: [String] = []
        func flush(_ page: inout Self) {
            guard let first = block.first else { return }
            if first.hasPrefix(" ") {
                page.example(block)
            } else {
                page.paragraph(block.joined(separator: " "))
            }
            block = []
        }
        for line in words.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if hasHeadings, line.wholeMatch(of: /[A-Z ]+:/) != nil {
                flush(&self)
                heading(String(line.dropLast()))
            } else if line.isEmpty {
                flush(&self)
            } else {
                if let first = block.first, first.hasPrefix(" ") != line.hasPrefix(" ") { flush(&self) }
                block.append(line)
            }
        }
        flush(&self)
    }

    private mutating func beginParagraph() {
        if !isFresh { text += ".PP\n" }
        isFresh = false
    }

    private mutating func request(_ name: String, _ arguments: String...) {
        let quoted = arguments.map { "\"\(Self.escape($0).replacing("\"", with: "\\(dq"))\"" }
        text += "\(name) \(quoted.joined(separator: " "))\n"
        isFresh = true
    }

    /// A line of text, which is no request.
    private static func line(_ words: String) -> String {
        let escaped = escape(words)
        return escaped.hasPrefix(".") ? "\\&" + escaped : escaped
    }

    /// Text in which nothing is a command of roff, and each character is shown as it is, for copying.
    static func escape(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "\\": "\\e"
            case "-": "\\-"
            case "'": "\\(aq"
            case "`": "\\(ga"
            case "^": "\\(ha"
            case "~": "\\(ti"
            case " "..."~", "\n": String(scalar)
            default: "\\[u\(hexadecimal(scalar.value))]"
            }
        }.joined()
    }

    private static func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
