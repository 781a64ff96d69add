import ControlPlane
import Foundation
import Testing

@Suite struct ReadmeTests {
    private static let begin = "writes it -->\n"
    private static let end = "<!-- end of the configuration table -->"

    /// If `UPDATE_README` is set in the environment, it writes the table first.
    @Test func `the documentation has the table of keys that the schema makes`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        let file = root.appending(path: "docs/configuration.md").standardizedFileURL
        var text = try String(contentsOf: file, encoding: .utf8)
        let begin = try #require(text.range(of: Self.begin)).upperBound
        let end = try #require(text.range(of: Self.end)).lowerBound
        if ProcessInfo.processInfo.environment["UPDATE_README"] != nil {
            text.replaceSubrange(begin..<end, with: "\n\(ConfigurationSchema.markdownTable)\n\n")
            try text.write(to: file, atomically: true, encoding: .utf8)
            return
        }
        let table = text[begin..<end].trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(table == ConfigurationSchema.markdownTable)
    }
}
