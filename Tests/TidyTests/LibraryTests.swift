import Foundation
import Testing

/// The libraries that are built are those that are named, by exact version.
struct LibraryTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ name: String) throws -> String {
        try String(contentsOf: root.appending(path: name), encoding: .utf8)
    }

    /// The versions that `Package.swift` asks for, by identity; `nil`: not by exact version.
    private static func named() throws -> [String: String?] {
        try text("Package.swift").matches(of: /\.package\(url: "([^"]+)", ([^)]*)\)/).reduce(into: [:]) {
            named, match in
            let name = match.1.split(separator: "/").last.map(String.init) ?? ""
            let identity = (name.hasSuffix(".git") ? String(name.dropLast(4)) : name).lowercased()
            named[identity] = .some((try? /exact: "([0-9.]+)"/.wholeMatch(in: match.2)).map { String($0.1) })
        }
    }

    /// The versions in the table of ARCHITECTURE.md, but Debian's.
    private static func listed() throws -> [String: String?] {
        let section = try #require(text("ARCHITECTURE.md").components(separatedBy: "## Libraries, and why\n").last)
        return section.matches(of: /(?m)^\| ([^| ]+)[^|]* \| ([^| ]+) \|/).reduce(into: [:]) { listed, row in
            if row.1 != "library", row.2 != "Debian", row.1 != "---" {
                listed[row.1.lowercased()] = .some(String(row.2))
            }
        }
    }

    private struct WorkspaceState: Decodable {
        struct Content: Decodable {
            var dependencies: [Dependency]
        }
        struct Dependency: Decodable {
            struct Reference: Decodable {
                var identity: String
            }
            struct State: Decodable {
                struct Checkout: Decodable {
                    var version: String?
                }
                var checkoutState: Checkout?
            }
            var packageRef: Reference
            var state: State
        }
        var object: Content
    }

    /// The versions that this very build has, by identity; those of libraries that others need, too.
    private static func built() throws -> [String: String?] {
        var folder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        // A folder above this program's is the one that everything is built in; but the program may be a loader's.
        var candidates = [root.appending(path: ".build")]
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            candidates.insert(folder, at: candidates.count - 1)
        }
        let files = candidates.map { $0.appending(path: "workspace-state.json") }
        let file = try #require(files.first { FileManager.default.fileExists(atPath: $0.path) })
        let state = try JSONDecoder().decode(WorkspaceState.self, from: Data(contentsOf: file))
        return state.object.dependencies.reduce(into: [:]) {
            $0[$1.packageRef.identity] = .some($1.state.checkoutState?.version)
        }
    }

    @Test func `what is built, what Package.swift asks for and what ARCHITECTURE lists is the same`() throws {
        let (named, listed, built) = (try Self.named(), try Self.listed(), try Self.built())
        #expect(named.count > 9)
        #expect(listed == named, "ARCHITECTURE.md and Package.swift differ")
        for (library, version) in named {
            #expect(version != nil, "\(library): Package.swift does not name it by `exact:`")
            #expect(built[library] == version, "\(library): another version is built than the one that is named")
        }
    }
}

/// The version is the same wherever it stands.
struct VersionTests {
    private static func text(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: name), encoding: .utf8)
    }

    @Test func `the program, the changelog and the package have one version`() throws {
        let source = try Self.text("Sources/ControlPlane/Basics/Version.swift")
        let version = try String(#require(source.firstMatch(of: /current = "(\d+\.\d+\.\d+)"/)).1)
        let package = try #require(try Self.text("debian/changelog").firstMatch(of: /^kong-discovery \(([^)]+)\)/))
        #expect(package.1.hasPrefix("\(version)-"))
        let changelog = try Self.text("CHANGELOG.md")
        // A version that is not released yet is named in the text of what is not.
        let released = changelog.firstMatch(of: /(?m)^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$/).map { String($0.1) }
        let isNext = changelog.contains("## [Unreleased]\n\nThe first version will be \(version).\n")
        #expect(released == version || isNext, "CHANGELOG.md says nothing of \(version)")
    }
}
