import Engine
import Foundation
import HTTPTypes
import Testing

@testable import ControlPlane

/// The documentation has what the program has.
@Suite struct ReadmeTests {
    private static let begin = "writes it -->\n"
    private static let end = "<!-- end of the configuration table -->"

    private static func file(_ path: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../\(path)").standardizedFileURL
    }

    private static func rows(_ path: String) throws -> [Substring] {
        try String(contentsOf: file(path), encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("|") }
    }

    @Test(arguments: RotationStrategyName.allCases)
    func `each balancing strategy has a row`(strategy: RotationStrategyName) throws {
        #expect(try Self.rows("docs/names.md").contains { $0.hasPrefix("| `\(strategy.rawValue)` |") })
    }

    @Test(arguments: UpstreamPolicyName.allCases)
    func `each way to choose an upstream is named`(policy: UpstreamPolicyName) throws {
        let text = try String(contentsOf: Self.file("docs/forwarding.md"), encoding: .utf8)
        #expect(text.contains("`\(policy.rawValue)`"))
    }

    @Test func `each endpoint of the API has a row`() throws {
        let rows = try Self.rows("docs/rest-api.md")
        // What the dashboard consists of, and the description.
        let pages: Set = ["/", "/dashboard/{file}", "/openapi.yaml"]
        for endpoint in EndpointTable.server.all where !pages.contains(endpoint.path.description) {
            let path = endpoint.path.description
            // Several paths in a row differ in their ends alone.
            let end = "`/\(path.split(separator: "/").last ?? "")`"
            let isThere = rows.contains {
                $0.contains(endpoint.method.rawValue) && ($0.contains(path) || $0.contains(end))
            }
            #expect(isThere, "\(endpoint.method) \(path)")
        }
    }

    /// If `UPDATE_README` is set in the environment, it writes the table first.
    @Test func `the documentation has the table of keys that the schema makes`() throws {
        let file = Self.file("docs/configuration.md")
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
