import Testing

extension ServerTests {
    /// The commands other than `serve`.
    @Suite struct CommandLineTests {
        private func run(
            _ arguments: String...,
            settings: [String: String] = ["dns.listen": "", "server.listen": ""]
        ) throws -> (status: ChildProcess.Status, output: String, errors: String) {
            let process = try ServerProcess.start(arguments, settings)
            return (try process.waitForExit(), process.output, process.errors)
        }

        @Test func `check-config prints the effective configuration, which is a configuration itself`() throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("good.yaml", "dns: {ttl: 10s, domain: a.example}\nlog: {format: json}\n")
            let settings = ["dns.ttl": "7s", "dns.listen": "127.0.0.1:0,[::1]:0", "server.listen": ""]
            let first = try run("check-config", "--config", file, settings: settings)
            #expect(first.status == .exited(0) && first.errors == "")
            for text in ["ttl: 7s", "domain: a.example", "format: json", "127.0.0.1:0", "strategy: round_robin"] {
                #expect(first.output.contains(text))
            }
            let again = try run("check-config", "--config", try folder.write("again.yaml", first.output))
            #expect(again.status == .exited(0) && again.errors == "")
            func withoutComments(_ text: String) -> [String] {
                text.split(separator: "\n").map { String($0.replacing(/[ ]*(#.*)?$/, with: "")) }
            }
            #expect(withoutComments(again.output) == withoutComments(first.output))
        }

        @Test func `check-config prints every error with its key and exits with 1`() throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("bad.yaml", "dns:\n  ttl: 0s\n  workers: a\nserver: {listen: 8080}\n")
            let result = try run("check-config", "--config", file)
            #expect(result.status == .exited(1) && result.output == "")
            let lines = result.errors.split(separator: "\n")
            #expect(lines.count == 3)
            for key in ["dns.ttl", "dns.workers", "server.listen"] {
                #expect(lines.count { $0.hasPrefix(file) && $0.contains(" \(key): ") } == 1)
            }
        }

        @Test func `check-config without settings shows the defaults`() throws {
            let result = try run("check-config")
            #expect(result.status == .exited(0))
            #expect(result.output.contains("listen: 127.0.0.1:8080"))
            #expect(result.output.contains("listen: [127.0.0.1:8600]"))
        }

        @Test func `version and help tell what they should`() async throws {
            let version = try run("--version")
            #expect(version.status == .exited(0))
            #expect(version.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
            let help = try run("--help")
            #expect(help.status == .exited(0))
            for command in ["serve", "check-config", "--version", "KONG_DISCOVERY_"] {
                #expect(help.output.contains(command))
            }
            #expect(try run("serve", "--help").output.contains("--config"))
            try await withServer { server in
                let status = try HTTPConnection(server.rest).request("GET", "/api/v1/status").text
                #expect(status.contains("\"version\":\"\(version.output.dropLast())\""))
            }
        }

        @Test func `the manual names every command that help shows, and the example is a configuration`() throws {
            let page = try run("document", "kong-discovery.1", "--date", "2026-11-27")
            #expect(page.status == .exited(0) && page.errors == "")
            let commands = try run("--help").output.matches(of: /(?m)^  ([a-z][a-z-]*)(?: \(default\))?  +[A-Z]/).map(
                \.1)
            #expect(commands.count > 3)
            for command in commands where command != "help" {
                let name = command.replacing("-", with: "\\-")
                #expect(page.output.contains("\n.SS \"kong\\-discovery \(name)"), "\(command)")
            }
            #expect(!page.output.contains("discovery document"))
            let folder = try TemporaryFolder()
            let example = try run("document", "config.yaml").output
            let result = try run("check-config", "--config", try folder.write("config.yaml", example))
            #expect(result.status == .exited(0) && result.errors == "")
            #expect(result.output == (try run("check-config").output))
        }

        @Test func `an unknown command or option is an error`() throws {
            for argument in ["frobnicate", "--frobnicate"] {
                let result = try run(argument)
                #expect(result.status == .exited(2) && result.output == "" && result.errors.contains("frobnicate"))
            }
        }

        @Test func `the environment overrides the file`() async throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("file.yaml", "dns: {ttl: 10s, domain: file.example}\n")
            try await withServer(["dns.domain": "environment.example"], file: file) { server in
                let inside = try server.ask("environment.example", .soa)
                let outside = try server.ask("file.example", .soa)
                #expect(inside.answers.map(\.ttl) == [10])
                #expect(outside.code == .refused)
            }
        }
    }
}
