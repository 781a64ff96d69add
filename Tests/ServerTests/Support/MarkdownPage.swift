import Foundation
import Testing

/// A page of the documentation, taken apart as far as tests look at it. Knows what our pages use: headings with `#`,
/// fenced blocks, code spans and links within a line.
struct MarkdownPage: CustomTestStringConvertible {
    /// A heading with the text below it, up to the next heading.
    struct Section {
        /// 1–6; 0 for what stands before the first heading.
        var level: Int
        var heading: String
        /// The lines outside of blocks.
        var lines: [String] = []

        /// Texts between backticks.
        var codeSpans: Set<String> {
            Set(lines.joined(separator: " ").matches(of: /`([^`]+)`/).map { String($0.1) })
        }

        /// How many rows of tables there are, and how many items of lists.
        var shape: [Int] {
            [lines.count { $0.hasPrefix("|") }, lines.count { $0.starts(with: /(- |[0-9]+\. )/) }]
        }

        /// The targets of links.
        var links: [String] { lines.flatMap { $0.matches(of: /\]\(([^)]+)\)/).map { String($0.1) } } }

        /// What GitHub calls it in links.
        var anchor: String {
            heading.lowercased().filter { $0.isLetter || $0.isNumber || "-_ ".contains($0) }.replacing(" ", with: "-")
        }
    }

    /// A fenced block.
    struct Block {
        var language: String
        /// Without the indentation of the fence.
        var lines: [String] = []
        /// The line in the file on which it begins.
        var line: Int
        /// What the comment `<!-- session: … -->` just before it says; empty without a colon, `nil` without a comment.
        var session: String?

        /// The lines without comments, from `#` to the end.
        var withoutComments: [String] {
            lines.map { $0.replacing(/(^|\s+)# .*$/, with: "") }
        }
    }

    /// The path from the project's folder.
    let path: String
    private(set) var sections = [Section(level: 0, heading: "")]
    private(set) var blocks: [Block] = []
    /// How many lines it has.
    let lineCount: Int

    var testDescription: String { path }

    static let root = URL(filePath: #filePath).appending(path: "../../../..").standardizedFileURL

    /// The README, and all pages in `docs`, in any language.
    static var all: [MarkdownPage] {
        get throws {
            let names = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "docs").path)
            let pages = names.filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" }
            return try (["README.md", "README.zh-CN.md"] + pages).map { try MarkdownPage($0) }
        }
    }

    init(_ path: String) throws {
        try self.init(path, text: String(contentsOf: Self.root.appending(path: path), encoding: .utf8))
    }

    init(_ path: String, text: String) {
        self.path = path
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        lineCount = lines.count - (lines.last == "" ? 1 : 0)
        var session: String?
        var open: Block?
        var indentation = 0
        for (index, line) in lines.enumerated() {
            let text = line.drop { $0 == " " }
            if var block = open {
                if text == "```" {
                    blocks.append(block)
                    open = nil
                } else {
                    block.lines.append(String(line.dropFirst(min(indentation, line.count - text.count))))
                    open = block
                }
            } else if text.hasPrefix("```") {
                indentation = line.count - text.count
                open = Block(language: String(text.dropFirst(3)), line: index + 1, session: session)
                session = nil
            } else if let comment = text.wholeMatch(of: /<!-- session(: ?(.*))? -->/) {
                session = comment.2.map(String.init) ?? ""
            } else if let heading = line.wholeMatch(of: /(#+) (.*)/) {
                sections.append(Section(level: heading.1.count, heading: String(heading.2)))
            } else {
                sections[sections.count - 1].lines.append(line)
            }
        }
    }
}
