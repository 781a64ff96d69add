import Foundation
import Testing

extension ServerTests {
    /// What the README and the guides show is what the real server does.
    @Suite struct DocumentationTests {
        /// Keys at the top of our configuration files: a YAML block that begins with one of them is one.
        private static let sections = [
            "server:", "dns:", "storage:", "registry:", "heartbeat:", "checks:", "metrics:", "log:", "query_log:",
        ]

        private static var pages: [MarkdownPage] {
            // A translation has the same blocks: see TranslationTests.
            get throws { try MarkdownPage.all.filter { !$0.path.hasSuffix(".zh-CN.md") } }
        }

        /// `key=value` pairs of a session's comment, and what a server has by default, but with one worker, so that
        /// one rotation is seen.
        private static func settings(_ session: String) -> [String: String] {
            var settings = ["dns.workers": "1", "dns.empty_grace": ""]
            for pair in session.split(separator: " ") {
                let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
                settings[parts[0]] = parts.last
            }
            return settings
        }

        @Test(
            arguments: try DocumentationTests.pages.filter { page in page.blocks.contains { $0.language == "console" } }
        )
        func `the sessions of a page run as they are shown`(page: MarkdownPage) throws {
            let folder = try TemporaryFolder()
            var server: ServerProcess?
            for block in page.blocks where block.language == "console" {
                if server == nil || block.session != nil {
                    try server?.stop()
                    server = try ServerProcess(Self.settings(block.session ?? ""), folder: folder.path)
                }
                guard let server else { continue }
                let session = ConsoleSession(block.lines)
                #expect(!session.steps.isEmpty, "\(page.path):\(block.line) has no command")
                let outputs = try session.run(with: server, in: folder)
                try #require(outputs.count == session.steps.count, "\(page.path):\(block.line): \(outputs)")
                for (step, output) in zip(session.steps, outputs) where !ConsoleSession.matches(output, step.output) {
                    Issue.record(
                        """
                        \(page.path):\(block.line): $ \(step.command)
                        it prints:
                        \(output)
                        the page shows:
                        \(step.output)
                        """)
                }
            }
            try server?.stop()
        }

        @Test func `check-config accepts each configuration of a page`() throws {
            let folder = try TemporaryFolder()
            let certificates = try Certificates()
            let files = [
                "ca.pem": certificates.authority.certificate, "server.pem": certificates.server.certificate,
                "server.key": certificates.server.key, "client.pem": certificates.client.certificate,
                "client.key": certificates.client.key,
            ]
            for (name, path) in files {
                try FileManager.default.copyItem(atPath: path, toPath: "\(folder.path)/\(name)")
            }
            let hash = String(repeating: "0", count: 64)
            let tokens = try folder.write("tokens.yaml", "- {name: a, role: admin, sha256: \(hash)}\n")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: tokens)
            let none = ["dns.listen": "", "server.listen": "", "storage.type": "", "dns.empty_grace": ""]
            var count = 0
            for page in try Self.pages {
                for block in page.blocks where block.language == "yaml" {
                    let first = block.lines.first { !$0.hasPrefix("#") } ?? ""
                    guard Self.sections.contains(where: { first.hasPrefix($0) }) else { continue }
                    let file = try folder.write("k.yaml", block.lines.joined(separator: "\n") + "\n")
                    let check = try ServerProcess.start(["check-config", "--config", file], none, folder: folder.path)
                    #expect(try check.waitForExit() == .exited(0), "\(page.path):\(block.line): \(check.errors)")
                    count += 1
                }
            }
            #expect(count > 8)
        }

        @Test func `each link leads somewhere, and docs/README.md names all pages`() throws {
            let pages = try MarkdownPage.all
            let anchors = Dictionary(uniqueKeysWithValues: pages.map { ($0.path, Set($0.sections.map(\.anchor))) })
            var named: Set<String> = []
            for page in pages {
                for link in page.sections.flatMap(\.links) where !link.contains("://") {
                    let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                    let folder = MarkdownPage.root.appending(path: page.path).deletingLastPathComponent()
                    let file = parts[0].isEmpty ? page.path : Self.path(folder.appending(path: String(parts[0])))
                    let isThere = FileManager.default.fileExists(
                        atPath: MarkdownPage.root.appending(path: file).path)
                    #expect(isThere, "\(page.path): \(link)")
                    if parts.count > 1 {
                        #expect(anchors[file]?.contains(String(parts[1])) == true, "\(page.path): \(link)")
                    }
                    if page.path == "docs/README.md" { named.insert(file) }
                }
            }
            for page in pages where page.path.hasPrefix("docs/") && page.path != "docs/README.md" {
                #expect(named.contains(page.path), "docs/README.md does not name \(page.path)")
            }
        }

        @Test func `the README is short`() throws {
            #expect(try MarkdownPage("README.md").lineCount <= 200)
            #expect(try MarkdownPage("README.zh-CN.md").lineCount <= 200)
        }

        /// A path from the project's folder.
        private static func path(_ url: URL) -> String {
            String(url.standardizedFileURL.path.dropFirst(MarkdownPage.root.path.count + 1))
        }

        @Test func `what is shown is compared as it should be`() {
            #expect(ConsoleSession.matches(#"{"a":1,"b":2}"#, #"{"a":1,…}"#))
            #expect(ConsoleSession.matches("a b c", "…b…"))
            #expect(ConsoleSession.matches("2026-11-27T09:30:00.123Z", "2025-01-01T00:00:00Z"))
            #expect(!ConsoleSession.matches("abc", "ab"))
            #expect(!ConsoleSession.matches("ab", "ab…b"))
            #expect(!ConsoleSession.matches("a c", "a…b…c"))
            let session = ConsoleSession(["$ one \\", ">   two", "x", "", "y", "$ three", ""])
            #expect(session.steps.map(\.command) == ["one \\\n  two", "three"])
            #expect(session.steps.map(\.output) == ["x\n\ny", ""])
        }
    }
}
