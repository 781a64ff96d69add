import Foundation
import Testing

@testable import ControlPlane

@Suite struct TokensFileTests {
    private static let hash = String(repeating: "1a", count: 32)
    private static let other = String(repeating: "2b", count: 32)

    private func problems(_ text: String) -> [String] {
        do throws(ConfigurationError) {
            _ = try TokensFile(path: "t.yaml", text: text)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test func `a file is read`() throws {
        let file = try TokensFile(
            path: "t.yaml",
            text: """
                # Who may use the API.
                - {name: dashboard, sha256: \(Self.hash), role: read}
                - name: ci
                  sha256: '\(Self.other.uppercased())'
                  role: write
                  services: [orders*, Billing, "x-*"]
                - {name: node, subject: "CN=node-1,O=Example", role: admin, services: ["*"]}
                - {name: one, subject: "CN=one", role: write, services: one}
                - {name: any, subject: "CN=any", role: write}
                - {name: none, subject: "CN=none", role: read, services: []}
                """)
        #expect(file.tokens.map(\.name) == ["dashboard", "ci", "node", "one", "any", "none"])
        #expect(file.tokens.map(\.role) == [.read, .write, .admin, .write, .write, .read])
        #expect(file.tokens[1].credential == TokenHash(hexadecimal: Self.other).map { .hash($0) })
        #expect(file.tokens[1].services.map(\.description) == ["orders*", "billing", "x-*"])
        #expect(file.tokens[2].credential == .subject("CN=node-1,O=Example"))
        #expect(file.tokens[3].services.map(\.description) == ["one"] && file.tokens[4].services.isEmpty)
        #expect(file.warnings.isEmpty)
        #expect(!file.listing.contains(Self.hash) && file.listing.contains("dashboard: read, sha256 1a1a1a1a…"))
        #expect(file.listing.contains("ci: write, sha256 2b2b2b2b…, services: orders*, billing, x-*"))
        #expect(file.listing.split(separator: "\n").allSatisfy { $0.hasPrefix("#") })
    }

    @Test func `a limit that limits nothing is a warning`() throws {
        let text = "- {name: r, sha256: \(Self.hash), role: read, services: [orders]}"
        #expect(try TokensFile(path: "t.yaml", text: text).warnings.count == 1)
    }

    @Test(
        arguments: [
            ("", "t.yaml: is empty"), ("# nothing", "t.yaml: is empty"), ("[]", "has no token"),
            ("a: b", "t.yaml:1:1: the file is a mapping"), ("- a", "t.yaml:1:3: [0]: is a single value"),
            ("- {name: a, sha256: HASH, role: root}", "t.yaml:1:93: [0].role: is unknown: read, write or admin"),
            ("- {name: a, sha256: HASH}", "t.yaml:1:3: [0].role: is missing"),
            ("- {name: a, role: read}", "t.yaml:1:3: [0].sha256: is missing"),
            ("- {sha256: HASH, role: read}", "t.yaml:1:3: [0].name: is missing"),
            ("- {name: a b, sha256: HASH, role: read}", "t.yaml:1:10: [0].name: is not 1 to 64"),
            ("- {name: \"a\\nb\", sha256: HASH, role: read}", "t.yaml:1:10: [0].name"),
            ("- {name: ä, sha256: HASH, role: read}", "t.yaml:1:10: [0].name"),
            ("- {name: '', sha256: HASH, role: read}", "t.yaml:1:10: [0].name"),
            ("- {name: ~, sha256: HASH, role: read}", "t.yaml:1:10: [0].name: has no value"),
            ("- {name: a, sha256: sesame, role: read}", "t.yaml:1:21: [0].sha256: is not the SHA-256"),
            ("- {name: a, sha256: [HASH], role: read}", "t.yaml:1:21: [0].sha256: is a list"),
            ("- {name: a, token: sesame, role: read}", "t.yaml:1:13: [0].token: is not a known key: a token itself"),
            ("- {name: a, sha256: HASH, role: read, rol: x}", "t.yaml:1:99: [0].rol: is not a known key"),
            ("- {name: a, name: b, sha256: HASH, role: read}", "name: is given more than once"),
            ("- {name: a, sha256: HASH, subject: CN=a, role: read}", "[0]: has a sha256 and a subject"),
            ("- {name: a, subject: '', role: read}", "[0].subject: is not 1 to 512"),
            ("- {name: a, sha256: HASH, role: write, services: []}", "[0].services: is empty"),
            ("- {name: a, sha256: HASH, role: write, services: [or/ders]}", "[0].services[0]: is no service's name"),
            ("- {name: a, sha256: HASH, role: write, services: {a: b}}", "[0].services: is a mapping"),
            ("- {name: a, sha256: HASH, role: write, services: [*]}", "needs quotes"),
            ("- {name: a, sha256: HASH, role: admin, services: [orders]}", "[0].services: can't limit an admin"),
            (
                "- {name: a, sha256: HASH, role: read}\n- {name: a, sha256: OTHER, role: read}",
                "t.yaml:2:3: [1].name: 'a' is also"
            ),
            (
                "- {name: a, sha256: HASH, role: read}\n- {name: b, sha256: HASH, role: read}",
                "t.yaml:2:3: [1]: has the same"
            ),
            ("- &x {name: a, sha256: HASH, role: read}", "t.yaml:1:3: anchors"),
            ("- !secret {name: a, sha256: HASH, role: read}", "has the tag '!secret'"),
            ("- {name: a, sha256: HASH, role: read", "is not YAML"), ("\t- a", "is not YAML"),
        ] as [(String, String)])
    func `what is wrong is named with its place, and without what could be a token`(text: String, message: String) {
        let found = problems(text.replacing("HASH", with: Self.hash).replacing("OTHER", with: Self.other))
        #expect(found.contains { $0.contains(message) }, "\(found)")
        #expect(!found.contains { $0.contains("sesame") || $0.contains(Self.hash) }, "\(found)")
    }

    @Test func `all that is wrong is named at once, but not without end`() {
        #expect(problems("- {name: a b, role: x, sha256: y}").count == 3)
        let many = (0..<5000).map { _ in "- {name: a b, role: x, sha256: y}" }.joined(separator: "\n")
        #expect(problems(many).count == 1)
        let some = (0..<2000).map { _ in "- {name: a b, role: x, sha256: y}" }.joined(separator: "\n")
        #expect((100...110).contains(problems(some).count))
    }

    @Test func `only a regular file of some size is read, and one that is open to others is a warning`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tokens-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func read(_ path: String) -> (problems: [String], warnings: [String]) {
            do throws(ConfigurationError) {
                return ([], try TokensFile(path: path, from: .environment("X")).warnings)
            } catch {
                return (error.problems.map(\.description), [])
            }
        }
        let path = folder + "/tokens.yaml"
        try Data("- {name: a, sha256: \(Self.hash), role: read}\n".utf8).write(to: URL(filePath: path))
        for (mode, count) in [(0o600, 0), (0o640, 0), (0o644, 1), (0o660, 1), (0o602, 1)] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            #expect(read(path).problems.isEmpty && read(path).warnings.count == count, "\(String(mode, radix: 8))")
        }
        // Kubernetes shows secrets as links.
        try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: path)
        #expect(read(folder + "/link").problems.isEmpty)
        let missing = read(folder + "/none").problems
        #expect(missing == ["X: server.tokens_file: \(folder)/none: can't be read: No such file or directory"])
        #expect(read(folder).problems.first?.contains("no regular file") == true)
        // Nobody writes to it: opening it in the usual way would wait for ever.
        // Unsafe: reads a C string during the call.
        #expect(unsafe mkfifo(folder + "/pipe", 0o600) == 0)
        #expect(read(folder + "/pipe").problems.first?.contains("no regular file") == true)
        #expect(read("/dev/zero").problems.first?.contains("no regular file") == true)
        try Data(repeating: 0x23, count: TokensFile.maximumOctets + 1).write(to: URL(filePath: folder + "/large"))
        #expect(read(folder + "/large").problems.first?.contains("too large") == true)
        try Data([0x2D, 0x20, 0xFF]).write(to: URL(filePath: folder + "/binary"))
        #expect(read(folder + "/binary").problems.first?.contains("UTF-8") == true)
    }
}
