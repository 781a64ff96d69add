import Foundation
import Testing

extension ServerTests {
    /// A server with tokens.
    @Suite struct TokenTests {
        /// A tokens file, and how to make requests by its tokens.
        private struct Tokens {
            let folder: TemporaryFolder
            let path: String
            /// The tokens by name.
            let secrets: [String: String]
            private let lines: [String: String]

            /// Tokens, as the program makes them.
            init(_ options: [String: [String]]) throws {
                folder = try TemporaryFolder()
                var secrets: [String: String] = [:]
                var lines: [String: String] = [:]
                for (name, options) in options {
                    let process = try ServerProcess.start(["token", "--name", name] + options)
                    #expect(try process.waitForExit() == .exited(0) && process.errors.isEmpty, "\(process.errors)")
                    let output = process.output.split(separator: "\n").map(String.init)
                    try #require(output.count == 2 && output[0].utf8.count == 43 && !output[1].contains(output[0]))
                    (secrets[name], lines[name]) = (output[0], output[1])
                }
                (self.secrets, self.lines) = (secrets, lines)
                path = folder.path + "/tokens.yaml"
                try write(Array(options.keys))
            }

            func write(_ names: [String]) throws {
                try write(text: names.compactMap { lines[$0] }.joined(separator: "\n") + "\n")
            }

            func write(text: String) throws {
                _ = try folder.write("tokens.yaml", text)
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            }

            func field(_ name: String) -> String { "Authorization: Bearer \(secrets[name] ?? "")" }

            var settings: [String: String] { ["server.tokens_file": path] }

            /// Fails if one of the tokens is somewhere.
            func expectSecret(_ texts: String..., at location: SourceLocation = #_sourceLocation) {
                for (name, secret) in secrets {
                    for text in texts { #expect(!text.contains(secret), "\(name)", sourceLocation: location) }
                }
            }
        }

        private static let roles = [
            "r": ["--role", "read"], "w": ["--role", "write", "--services", "orders*"],
            "p": ["--role", "write", "--services", "payments"],
            "a": ["--role", "admin"],
        ]

        private func body(_ id: String, _ name: String, _ ip: String = "10.0.0.1") -> String {
            json(Registration(name, ip, id: id))
        }

        @Test func `roles and names decide, and the log says who did what`() async throws {
            let tokens = try Tokens(Self.roles)
            try await withServer(tokens.settings) { server in
                let rest = try HTTPConnection(server.rest)
                func status(_ method: String, _ path: String, _ body: String? = nil, as name: String? = nil) throws
                    -> Int
                {
                    try rest.request(method, path, body, fields: name.map { [tokens.field($0)] } ?? []).status
                }
                #expect(try status("GET", "/healthz") == 200 && status("GET", "/ready") == 200)
                #expect(
                    try status("GET", "/api/v1/services") == 401 && status("GET", "/api/v1/services", as: "r") == 200)
                #expect(try status("HEAD", "/api/v1/services") == 401)
                #expect(try status("POST", "/api/v1/services", body("o", "orders"), as: "r") == 403)
                #expect(try status("POST", "/api/v1/services", body("o", "orders"), as: "w") == 201)
                #expect(try status("POST", "/api/v1/services", body("p", "payments"), as: "w") == 403)
                #expect(try status("POST", "/api/v1/services", body("p", "payments"), as: "p") == 201)
                #expect(try status("POST", "/api/v1/services", body("p", "orders"), as: "w") == 403)
                #expect(try status("PATCH", "/api/v1/services/p", #"{"draining":true}"#, as: "w") == 403)
                #expect(try status("PUT", "/api/v1/services/p/heartbeat", as: "w") == 403)
                #expect(try status("PUT", "/api/v1/services/p/heartbeat", as: "p") == 200)
                #expect(
                    try status("DELETE", "/api/v1/cache", as: "w") == 403
                        && status("DELETE", "/api/v1/cache", as: "a") == 200)
                #expect(try server.ask("payments.service.kong").texts == ["10.0.0.1"])
                #expect(try status("PUT", "/api/v1/names/payments/policy", #"{"max_weight":5}"#, as: "a") == 200)
                #expect(try status("DELETE", "/api/v1/services/p", as: "a") == 204)
                try server.waitForLog("instance deregistered")
                let lines = server.logLines
                func line(_ text: String) throws -> String {
                    try #require(lines.first { $0.contains(text) }, "\(text)")
                }
                for text in [
                    "address=10.0.0.1", "id=o", "name=orders", "token=w", "client=127.0.0.1", "reason=request",
                ] {
                    #expect(try line("instance registered").contains(text))
                }
                #expect(try line("instance deregistered").contains("token=a"))
                #expect(try line("policy set").contains("token=a"))
                #expect(try line("a change is refused").contains("token=w"))
                #expect(try line("it has no token").contains("endpoint=\"GET /api/v1/services\""))
                tokens.expectSecret(server.process.errors)
            }
        }

        @Test func `a file that is read again holds for the next request of each connection`() async throws {
            let tokens = try Tokens(Self.roles)
            try tokens.write(["r", "a"])
            try await withServer(tokens.settings, toleratesErrors: true) { server in
                let kept = try HTTPConnection(server.rest)
                func status(_ name: String) throws -> Int {
                    try kept.request("GET", "/api/v1/names", fields: [tokens.field(name)]).status
                }
                #expect(try status("r") == 200 && status("w") == 401)
                let events = EventFollower("snapshot=true", fields: [tokens.field("r")])
                let others = EventFollower("", fields: [tokens.field("a")])
                try events.connect(to: server.rest)
                try others.connect(to: server.rest)
                try events.drain { $0.contains { $0.name == "live" } }
                let waiting = try HTTPConnection(server.rest)
                let index =
                    try kept.request("GET", "/api/v1/services", fields: [tokens.field("r")]).fields["x-registry-index"]
                    ?? ""
                try waiting.send("GET", "/api/v1/services?index=\(index)&wait=10m", fields: [tokens.field("r")])
                #expect(!waiting.socket.isReadable(within: 100))

                // What is broken changes nothing, and is told with its place.
                try tokens.write(text: "- {name: x, sha256: \(tokens.secrets["r"] ?? ""), role: read}\n")
                server.process.signal(SIGHUP)
                try server.waitForLog("tokens not reloaded")
                let line = try #require(server.logLines.first { $0.contains("tokens not reloaded") })
                #expect(line.contains("\(tokens.path):1:21: [0].sha256"))
                #expect(try status("r") == 200 && status("w") == 401)

                try tokens.write(["w", "a"])
                server.process.signal(SIGHUP)
                try server.waitForLog("tokens reloaded count=2")
                #expect(try status("r") == 401 && status("w") == 200)
                try events.waitForEnd()
                #expect(try waiting.receive().status == 401)
                try events.connect(to: server.rest)
                try eventually("the answer") {
                    try events.drain(within: 20)
                    return events.head.hasPrefix("HTTP/1.1 401")
                }
                // The one whose token has stayed still hears of changes.
                let body = body("o", "orders")
                #expect(try kept.request("POST", "/api/v1/services", body, fields: [tokens.field("w")]).status == 201)
                try others.drain { $0.contains { $0.name == "registered" } }
                tokens.expectSecret(
                    server.process.errors.replacing(tokens.secrets["r"] ?? "", with: "") + server.process.errors)
            }
        }

        @Test func `tokens are switched on and off without a restart, and DNS never changes`() async throws {
            let tokens = try Tokens(Self.roles)
            let file = try tokens.folder.write("k.yaml", "log: {level: info}\n")
            let names = [
                "orders.service.kong", "none.service.kong", "service.kong", "_orders._tcp.service.kong",
                "0a000001.addr.service.kong", "example.org",
            ]
            try await withServer(["dns.workers": "1"], file: file) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1"))
                func answers() throws -> [String] {
                    try names.flatMap { name in
                        try [RecordType.a, .srv, .soa].map { type in
                            let reply = try server.ask(name, type)
                            return
                                "\(name) \(type) \(String(describing: reply.code)) \(reply.texts) \(reply.answers.map(\.ttl))"
                        }
                    }
                }
                let before = try answers()
                let events = EventFollower("")
                try events.connect(to: server.rest)
                try eventually("events") {
                    try events.drain(within: 20)
                    return events.head.hasPrefix("HTTP/1.1 200")
                }
                _ = try tokens.folder.write("k.yaml", "server: {tokens_file: \(tokens.path)}\n")
                server.process.signal(SIGHUP)
                try server.waitForLog("tokens reloaded count=4")
                #expect(try rest.request("GET", "/api/v1/services").status == 401)
                try events.waitForEnd()
                #expect(try answers() == before)
                // With tokens the server may have any name.
                try rest.send(raw: "GET /api/v1/names HTTP/1.1\r\nHost: any.example\r\n\(tokens.field("r"))\r\n\r\n")
                #expect(try rest.receive().status == 200)
                _ = try tokens.folder.write("k.yaml", "log: {level: info}\n")
                server.process.signal(SIGHUP)
                try server.waitForLog("tokens are not needed any more")
                #expect(try rest.request("GET", "/api/v1/services").status == 200)
                #expect(try answers() == before)
            }
        }

        @Test func `no request is lost or wrongly refused while tokens come and go`() async throws {
            let tokens = try Tokens(Self.roles)
            try await withServer(tokens.settings) { server in
                let working = Countdown(2)
                async let first: Void = Self.change(server, tokens.field("w"), working)
                async let second: Void = Self.change(server, tokens.field("w"), working)
                var reloads = 0
                repeat {
                    try tokens.write(reloads % 2 == 0 ? ["w"] : ["w", "r", "a"])
                    server.process.signal(SIGHUP)
                    reloads += 1
                    try server.waitForLog("tokens reloaded", count: reloads)
                } while !working.isOver
                try await first
                try await second
                #expect(reloads > 1)
            }
        }

        private static func change(_ server: ServerProcess, _ field: String, _ working: Countdown) async throws {
            defer { working.step() }
            let rest = try HTTPConnection(server.rest)
            for turn in 0..<100 {
                let body = json(Registration("orders", "10.0.0.2", id: "o\(turn)"))
                try #require(try rest.request("POST", "/api/v1/services", body, fields: [field]).status < 300)
            }
        }

        @Test func `of two who may change different services, none takes an instance from the other`() async throws {
            let tokens = try Tokens(Self.roles)
            let settings = tokens.settings.merging(["log.level": "debug"]) { $1 }
            try await withServer(settings) { server in
                // Both try to have the id at the same time, again and again, and to take it away when it is the other's.
                let working = Countdown(2)
                async let orders: Void = Self.fight(server, tokens.field("w"), "orders", working)
                async let payments: Void = Self.fight(server, tokens.field("p"), "payments", working)
                try await orders
                try await payments
                let last = try HTTPConnection(server.rest)
                let body = body("last", "orders")
                #expect(try last.request("POST", "/api/v1/services", body, fields: [tokens.field("w")]).status == 201)
                try server.waitForLog("id=last")
                let lines = server.logLines.filter { $0.contains("id=shared") }
                #expect(lines.count > 1)
                #expect(!lines.contains { $0.contains("old_name=") }, "\(lines)")
                for line in lines where line.contains("token=") {
                    #expect(line.contains("name=orders") == line.contains("token=w"), "\(line)")
                }
                #expect(
                    try HTTPConnection(server.rest).request("GET", "/api/v1/status", fields: [tokens.field("r")]).status
                        == 200)
            }
        }

        private static func fight(
            _ server: ServerProcess, _ field: String, _ name: String, _ working: Countdown
        ) async throws {
            defer { working.step() }
            let rest = try HTTPConnection(server.rest)
            let body = json(Registration(name, "10.0.0.1", id: "shared"))
            for _ in 0..<60 {
                let registered = try rest.request("POST", "/api/v1/services", body, fields: [field]).status
                try #require([201, 200, 403].contains(registered))
                let patched = try rest.request(
                    "PATCH", "/api/v1/services/shared", #"{"draining":false}"#, fields: [field])
                try #require([200, 403, 404].contains(patched.status))
                if patched.status == 200 { #expect(patched.text.contains("\"name\":\"\(name)\"")) }
                let left = try rest.request("DELETE", "/api/v1/services/shared", fields: [field]).status
                try #require([204, 403, 404].contains(left))
            }
        }

        @Test func `what is refused before its body is read leaves the connection to the next request`() async throws {
            let tokens = try Tokens(Self.roles)
            try await withServer(tokens.settings) { server in
                let rest = try HTTPConnection(server.rest)
                let large = [UInt8](repeating: 0x20, count: 300_000)
                let list = "GET /api/v1/names HTTP/1.1\r\nHost: localhost\r\n\(tokens.field("r"))\r\n\r\n"
                for size in [0, 10, large.count] {
                    // Both are sent before any answer is read.
                    try rest.send(
                        "POST", "/api/v1/services", Array(large.prefix(size)), fields: ["Authorization: Bearer x"])
                    try rest.send(raw: list)
                    #expect(try rest.receive().status == 401)
                    #expect(try rest.receive().status == 200)
                }
                try rest.send(
                    "POST", "/api/v1/services", nil,
                    fields: [
                        "Content-Length: 5", "Content-Type: application/json", "Expect: 100-continue",
                        tokens.field("r"),
                    ])
                // Nobody who may not is told to go on.
                #expect(try rest.receive().status == 403)
                try rest.send(raw: "12345" + list)
                #expect(try rest.receive().status == 200)
                // A chunked body is skipped as well.
                try rest.send(
                    raw:
                        "POST /api/v1/services HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"
                        + list)
                #expect(try rest.receive().status == 401)
                #expect(try rest.receive().status == 200)
            }
        }

        @Test func `tokens that are long, doubled, or many a second are refused, and the log stays short`() async throws
        {
            let tokens = try Tokens(Self.roles)
            try await withServer(tokens.settings) { server in
                let rest = try HTTPConnection(server.rest)
                // NIO has a limit of its own for the length of a field.
                for (length, statuses) in [(5000, [400]), (15_000, [400]), (20_000, [431]), (1 << 20, [431])] {
                    let connection = try HTTPConnection(server.rest)
                    let token = String(repeating: "x", count: length)
                    try? connection.send("GET", "/api/v1/services", fields: ["Authorization: Bearer \(token)"])
                    let response = try connection.receive()
                    #expect(statuses.contains(response.status), "\(length)")
                    #expect(!response.text.contains("xxxx"))
                }
                let doubled = [tokens.field("r"), tokens.field("r")]
                #expect(try rest.request("GET", "/api/v1/services", fields: doubled).status == 400)
                for _ in 0..<1000 {
                    let response = try rest.request(
                        "GET", "/api/v1/services", fields: ["Authorization: bearer wrong-token"])
                    try #require(response.status == 401)
                    try #require(response.fields["www-authenticate"]?.contains("invalid_token") == true)
                    try #require(!response.text.contains("wrong-token"))
                }
                let lower = tokens.field("r").replacing("Authorization: Bearer", with: "authorization: bEaReR")
                #expect(try rest.request("GET", "/api/v1/services", fields: [lower]).status == 200)
                let status = try rest.request("GET", "/api/v1/status", fields: [tokens.field("r")]).text
                #expect(status.contains(#""unauthorized":1000"#) && status.contains(#""malformed":3"#))
                try server.waitForLog("its token is unknown")
                let lines = server.logLines.filter { $0.contains("refused") }
                #expect((1...30).contains(lines.count), "\(lines.count)")
                #expect(lines.contains { $0.contains("client=127.0.0.1") })
                #expect(!server.process.errors.contains("wrong-token"))
                tokens.expectSecret(server.process.errors, status)
            }
        }

        @Test
        func `check-config shows the tokens without their hashes, and a wrong file keeps the server from starting`()
            async throws
        {
            let tokens = try Tokens(Self.roles)
            func run(_ command: String) throws -> (status: ChildProcess.Status, output: String, errors: String) {
                let process = try ServerProcess.start([command], tokens.settings)
                return (try process.waitForExit(), process.output, process.errors)
            }
            let good = try run("check-config")
            #expect(good.status == .exited(0) && good.errors.isEmpty)
            #expect(good.output.contains("#   w: write, sha256 ") && good.output.contains("services: orders*"))
            #expect(good.output.wholeMatch(of: /(?s).*[0-9a-f]{64}.*/) == nil)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: tokens.path)
            #expect(try run("check-config").errors.contains("chmod 600"))
            try await withServer(tokens.settings) { server in
                #expect(server.logLines.contains { $0.contains(" warning ") && $0.contains("chmod 600") })
            }
            try tokens.write(text: "- name: x\n  sha256: \(tokens.secrets["r"] ?? "")\n  role: read\n")
            for command in ["check-config", "serve"] {
                let bad = try run(command)
                #expect(bad.status == .exited(1) && bad.output.isEmpty)
                #expect(bad.errors.contains("\(tokens.path):2:11: [0].sha256"), "\(bad.errors)")
                tokens.expectSecret(bad.errors)
            }
            try FileManager.default.removeItem(atPath: tokens.path)
            let missing = try run("serve")
            #expect(missing.status == .exited(1))
            #expect(
                missing.errors.contains("server.tokens_file: \(tokens.path): can't be read: No such file"),
                "\(missing.errors)")
        }

        @Test func `an API beyond loopback without tokens is a warning`() async throws {
            let tokens = try Tokens(["r": ["--role", "read"]])
            let text = "everybody who reaches the REST API"
            try await withServer(["server.listen": "0.0.0.0:0"]) { server in
                #expect(server.logLines.contains { $0.contains(" warning ") && $0.contains(text) })
            }
            try await withServer(tokens.settings.merging(["server.listen": "0.0.0.0:0"]) { $1 }) { server in
                #expect(!server.logLines.contains { $0.contains(text) })
            }
            try await withServer { server in #expect(!server.logLines.contains { $0.contains(text) }) }
        }

        @Test(arguments: [
            ("0.0.0.0:0", "0.0.0.0/0", true), ("[::]:0", "10.0.0.0/8,2000::/3", true),
            ("0.0.0.0:0", "10.0.0.0/8,fc00::/7", false), ("127.0.0.1:0", "0.0.0.0/0", false),
        ]) func `an open resolver is a warning`(
            listen: String, recursionAllow: String, isOpen: Bool
        ) async throws {
            let settings = [
                "dns.listen": listen, "dns.recursion_allow": recursionAllow, "dns.upstream.servers": "192.0.2.1",
            ]
            try await withServer(settings) { server in
                let isTold = server.logLines.contains { $0.contains(" warning ") && $0.contains("an open resolver: ") }
                #expect(isTold == isOpen)
            }
        }

        @Test func `commands present a token, and say what is wrong with it`() async throws {
            let tokens = try Tokens(Self.roles)
            let secret = tokens.secrets["r"] ?? ""
            let file = try tokens.folder.write("token", secret + "\n")
            try await withServer(tokens.settings) { server in
                func explain(_ options: [String] = [], token: String = "") throws -> (
                    ChildProcess.Status, String, String
                ) {
                    let arguments =
                        ["explain", "orders.service.kong", "A", "--server", "http://\(server.rest)"] + options
                    let process = try ServerProcess.start(
                        arguments,
                        [
                            "token": token, "dns.listen": "", "server.listen": "", "storage.type": "",
                            "dns.empty_grace": "",
                        ])
                    return (try process.waitForExit(), process.output, process.errors)
                }
                let without = try explain()
                #expect(without.0 == .exited(1) && without.2.contains("--token-file") && without.2.contains("401"))
                for (options, token) in [
                    (["--token", secret], ""), (["--token-file", file], ""), ([], secret),
                    (["--token", secret], "wrong"),
                ] {
                    let result = try explain(options, token: token)
                    #expect(result.0 == .exited(0) && result.1.contains("NXDOMAIN"), "\(options) \(result)")
                }
                let wrong = try explain(token: "wrong-token")
                #expect(
                    wrong.0 == .exited(1) && wrong.2.contains("does not know this token")
                        && !wrong.2.contains("wrong-token"))
                #expect(try explain(["--token-file", "/nonexistent"]).2.contains("No such file"))
                #expect(try explain(["--token", "a b"]).0 == .exited(1))
                #expect(try explain(["--token", "a", "--token-file", file]).0 == .exited(2))
            }
        }
    }
}
