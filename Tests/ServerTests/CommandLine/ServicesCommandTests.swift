import Foundation
import Testing

extension ServerTests {
    /// `kong-discovery services`, `names` and `status` against a real server.
    @Suite struct ServicesCommandTests {
        /// Runs a body with a server and its commands.
        private func withCommands(
            _ settings: [String: String] = [:], toleratesErrors: Bool = false,
            _ body: (ServerProcess, CommandRunner) async throws -> Void
        ) async throws {
            try await withServer(settings, toleratesErrors: toleratesErrors) { server in
                try await body(server, CommandRunner(url: "http://\(server.rest)"))
            }
        }

        /// The instances of a server without their times.
        private func instances(_ run: CommandRunner) throws -> Set<NSDictionary> {
            let text = try run("services", "list", "--json").output
            let list = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            let instances = try #require(list["services"] as? [[String: Any]])
            let times = ["registered_at", "last_heartbeat", "expires_at", "checks"]
            return Set(instances.map { instance in instance.filter { !times.contains($0.key) } as NSDictionary })
        }

        @Test func `what is registered is listed, drained, exported and imported elsewhere`() async throws {
            try await withCommands { server, run in
                #expect(try run("services", "list").errors == "no instances\n")
                let first = try run(
                    "services", "register", "orders", "--ip", "10.0.0.1", "--port", "8080", "--ttl", "0", "--tag",
                    "blue",
                    "--tag", "eu", "--metadata", "note=a, \"b\" = c", "--check",
                    #"{"name":"h","type":"ttl","ttl":"1h"}"#)
                #expect(first.isDone && first.lines.count == 1)
                let id = String(first.lines[0])
                let second = try run(
                    "services", "register", "orders", "--ip", "fd00::2", "--port", "80", "--id", "o2", "--weight", "7",
                    "--priority", "1", "--dns-ttl", "9")
                #expect(second.output == "o2\n")
                // The same again is the same instance.
                let again = try run(
                    "services", "register", "orders", "--ip", "10.0.0.1", "--port", "8080", "--ttl", "0")
                #expect(again.lines == first.lines)
                #expect(try server.ask("orders.service.kong").texts == ["10.0.0.1"])

                #expect(try run("services", "drain", "o2").output == "1 instance drained\n")
                let table = try run("services", "list", "--name", "orders")
                #expect(
                    table.output == """
                        NAME    ADDRESS        STATUS    WEIGHT  PRIORITY   TTL  PROTOCOL  TAGS  ID
                        orders  10.0.0.1:8080  passing      100         0  none  tcp       -     \(id)
                        orders  [fd00::2]:80   draining       7         1    30  tcp       -     o2

                        """)
                #expect(try run("names").lines.last == "orders        1        0         0         1")
                let shown = try run("services", "show", id, "o2").output
                #expect(shown.contains("address     10.0.0.1:8080, tcp") && shown.contains("status      draining"))

                try await withCommands { _, other in
                    for format in ["json", "csv"] {
                        let folder = try TemporaryFolder()
                        let file = "\(folder.path)/export"
                        #expect(try run("services", "export", "--format", format, "--output", file).isDone)
                        let text = try String(contentsOfFile: file, encoding: .utf8)
                        #expect(!text.contains(id), "an id that follows from the endpoint")
                        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["export"])
                        let preview = try other("services", "import", file, "--dry-run")
                        #expect(preview.lines.last == "2 would be registered, 0 replaced, 0 refused")
                        #expect(try instances(other).isEmpty)
                        #expect(try other("services", "import", file).output == "2 registered, 0 replaced, 0 refused\n")
                        #expect(try instances(other) == instances(run))
                        #expect(try other("services", "import", file).output == "0 registered, 2 replaced, 0 refused\n")
                        #expect(try other("services", "deregister", id, "o2").isDone)
                    }
                }
                #expect(try run("services", "undrain", "--name", "orders").output == "1 instance put back\n")
                #expect(try run("services", "drain", "--ip", "10.0.0.1").output == "1 instance drained\n")
                #expect(try run("services", "deregister", id, "o2").isDone)
                #expect(try instances(run).isEmpty)
            }
        }

        @Test func `what is not there is named, and the others are done`() async throws {
            try await withCommands { _, run in
                _ = try run("services", "register", "web", "--ip", "10.0.0.1", "--port", "80", "--id", "w1")
                for arguments in [
                    ["services", "show", "nope", "w1"], ["services", "drain", "nope", "w1"],
                    ["services", "deregister", "nope", "w1"],
                ] {
                    let result = try run.run(arguments)
                    #expect(result.status == .exited(1) && result.errorLines.count == 1, "\(arguments)")
                    #expect(result.errors.contains("404") && result.errors.contains("'nope'"), "\(result)")
                }
                #expect(try run("services", "list").errors == "no instances\n")
                let heartbeat = try run("services", "heartbeat", "w1")
                #expect(heartbeat.status == .exited(1) && heartbeat.errors.contains("register it again"))
            }
        }

        @Test func `wrong arguments exit with 2, what the server refuses with 1`() async throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("bad.json", "{\"name\":")
            try await withCommands { server, run in
                for arguments in [
                    ["services", "frobnicate"], ["services", "register"], ["services", "register", "web"],
                    ["services", "register", "web", "--ip", "10.0.0.1", "--port", "many"],
                    ["services", "register", "web", "--ip", "10.0.0.1", "--port", "80", "--metadata", "text"],
                    ["services", "register", "web", "--ip", "10.0.0.1", "--port", "80", "--check", "{"],
                    ["services", "register", "--file", file], ["services", "list", "--limit", "0"],
                    ["services", "drain"],
                    ["services", "drain", "a", "--ip", "10.0.0.1"], ["services", "drain", "--tag", "a"],
                    ["services", "heartbeat"], ["services", "heartbeat", "a", "--every", "soon"],
                    ["services", "export", "--format", "xml"], ["services", "export", "--domain", "a b"],
                    ["services", "import"], ["services", "import", "--skydns", "http://127.0.0.1:1"],
                    ["services", "list", "--server", "nowhere"], ["names", "--timeout", "0s"], ["completions", "tcsh"],
                    ["status", "--token", "a", "--token-file", "b"], ["events", "extra"], ["explain"],
                ] {
                    let result = try run.run(arguments)
                    #expect(result.status == .exited(2) && result.output.isEmpty, "\(arguments) \(result)")
                    #expect(!result.errors.isEmpty)
                }
                for (arguments, words) in [
                    (["services", "register", "a_b", "--ip", "no", "--port", "80"], ["422", "name must", "ip must"]),
                    (["services", "list", "--status", "well"], ["422", "status must be one of passing"]),
                    (["services", "drain", "--ip", "no"], ["422", "ip must be"]),
                    (["services", "register", "--file", "/nonexistent"], ["--file /nonexistent", "No such file"]),
                    (["services", "import", "/nonexistent"], ["/nonexistent", "No such file"]),
                    (["services", "export", "--output", "/nonexistent/x"], ["/nonexistent/x", "No such file"]),
                ] {
                    let result = try run.run(arguments)
                    #expect(result.status == .exited(1) && result.errorLines.count == 1, "\(arguments) \(result)")
                    for word in words { #expect(result.errors.contains(word), "\(result)") }
                }
                // A hostile text can't move the cursor.
                let hostile = try run("services", "show", "a\u{1B}[2Jb")
                #expect(hostile.status == .exited(1) && !hostile.errors.contains("\u{1B}"))
            }
        }

        @Test func `a server that is away, is slow, or is none, is one line that says so`() async throws {
            let away = CommandRunner(url: "http://127.0.0.1:1")
            for arguments in [
                ["services", "list"], ["names"], ["status"], ["events"], ["services", "export"],
                ["services", "heartbeat", "a", "--every", "1s"], ["names", "--watch"],
            ] {
                let result = try away.run(arguments)
                #expect(result.status == .exited(1) && result.output.isEmpty && result.errorLines.count == 1)
                #expect(result.errors.hasPrefix("http://127.0.0.1:1: cannot connect"), "\(arguments) \(result)")
            }
            try await withServer { server in
                // What listens there speaks something else.
                let other = try CommandRunner(url: "http://\(server.dns[0])")("status", "--timeout", "300ms")
                #expect(other.status == .exited(1) && other.errorLines.count == 1, "\(other)")
            }
        }

        @Test func `a token is needed where the server wants one`() async throws {
            let folder = try TemporaryFolder()
            let made = try CommandRunner(url: "")("token", "--name", "r")
            let secret = String(made.lines[0])
            let tokens = try folder.write("tokens.yaml", "\(made.lines[1])\n")
            try Command.run("chmod", "600", tokens)
            try await withCommands(["server.tokens_file": tokens]) { server, run in
                let without = try run("services", "list")
                #expect(
                    without.status == .exited(1) && without.errors.contains("401") && without.errors.contains("--token")
                )
                var reader = run
                reader.token = secret
                #expect(try reader("services", "list").status == .exited(0))
                let refused = try reader("services", "register", "web", "--ip", "10.0.0.1", "--port", "80")
                #expect(refused.status == .exited(1) && refused.errors.contains("403"))
                #expect(!refused.errors.contains(secret))
            }
        }

        @Test func `a long list comes page by page, whole and in order`() async throws {
            try await withCommands { server, run in
                let rest = try HTTPConnection(server.rest)
                _ = try rest.batch(
                    register: (0..<2500).map { Registration("s\($0 % 50)", "10.1.\($0 / 250).\($0 % 250)") })
                let list = try run("services", "list")
                #expect(list.lines.count == 2501)
                #expect(list.lines[1].hasPrefix("s0") && list.lines[2500].hasPrefix("s49"))
                #expect(try run("services", "list", "--limit", "1001", "--json").lines.count == 1003)
                #expect(try run("services", "list", "--name", "s7").lines.count == 51)
                #expect(try run("names", "--json").lines.count == 52)
                #expect(try run("names", "--limit", "3").lines.count == 4)
                // A reader that goes when it has seen enough is no error.
                let head = try run.shell(
                    "set -o pipefail; $KONG_DISCOVERY services list --json | head -n 1", in: "bash")
                #expect(head.output == "{\"services\":[\n" && head.errors.isEmpty)
                let hosts = try run("services", "export", "--format", "hosts", "--name", "s7").lines
                #expect(hosts.count == 50 && hosts[0] == "10.1.0.7\ts7.service.kong")
                let deck = try run("services", "export", "--format", "deck").lines
                #expect(
                    deck.count { $0.hasPrefix("- name: ") } == 50 && deck.count { $0.contains("weight: 100") } == 2500)
            }
        }

        @Test func `the status is at a glance, or as the server sends it`() async throws {
            try await withCommands(["dns.upstream.servers": "127.0.0.1:1"]) { _, run in
                _ = try run("services", "register", "web", "--ip", "10.0.0.1", "--port", "80")
                let text = try run("status")
                for words in [
                    "kong-discovery ", "storage    memory, pass", "instances  1: 1 passing", "upstream   127.0.0.1:1",
                ] {
                    #expect(text.output.contains(words), "\(text.output)")
                }
                let json = try run("status", "--json").output
                #expect(json.hasPrefix(#"{"version":"#) && json.hasSuffix("}\n"))
            }
        }

        @Test func `completions of a shell are asked for by its name`() throws {
            #expect(try CommandRunner(url: "")("completions", "bash").lines.count > 100)
        }
    }
}
