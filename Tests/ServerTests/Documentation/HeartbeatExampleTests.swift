import Foundation
import Testing

extension ServerTests {
    /// The programs in `deploy/heartbeats`, as services run them.
    @Suite struct HeartbeatExampleTests {
        private static let folder = MarkdownPage.root.appending(path: "deploy/heartbeats").path
        private static let name = "orders"

        private static func start(
            _ words: [String], _ server: ServerProcess, _ variables: [String: String] = [:]
        ) throws -> ChildProcess {
            var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("KONG_DISCOVERY_") }
            environment["KONG_DISCOVERY_URL"] = "http://\(server.rest)"
            let own = [
                "SERVICE_NAME": name, "SERVICE_IP": "10.0.0.1", "SERVICE_PORT": "8080", "SERVICE_TTL": "2",
                "SERVICE_LINGER": "0",
            ]
            environment.merge(own.merging(variables) { $1 }) { $1 }
            return try ChildProcess(words[0], Array(words.dropFirst()), environment: environment, folder: folder)
        }

        private static func shell(_ server: ServerProcess, _ words: String...) throws -> ChildProcess {
            try start(["/bin/sh", "\(folder)/register.sh"] + words, server)
        }

        private struct Listed: Decodable {
            struct Item: Decodable, Equatable {
                var id: String
                var lastHeartbeat: String

                enum CodingKeys: String, CodingKey {
                    case id
                    case lastHeartbeat = "last_heartbeat"
                }
            }
            var services: [Item]
        }

        private static func listed(_ server: ServerProcess) throws -> [Listed.Item] {
            try HTTPConnection(server.rest).request("GET", "/api/v1/services?name=\(name)").decoded(as: Listed.self)
                .services
        }

        /// Its instance outlives several ttls, comes back when it was deregistered, and is gone at the end.
        private static func expectLife(of process: ChildProcess, _ server: ServerProcess) throws {
            try eventually("it registers: \(process.errors)") { try !listed(server).isEmpty }
            let first = try #require(try listed(server).first)
            #expect(try server.ask("orders.service.kong").texts == ["10.0.0.1"])
            try eventually("it sends heartbeats: \(process.errors)") {
                let now = try #require(try listed(server).first)
                return now.lastHeartbeat > first.lastHeartbeat
            }
            try HTTPConnection(server.rest).deregister(first.id)
            try eventually("it registers again: \(process.errors)") { try listed(server).map(\.id) == [first.id] }
            process.signal(SIGTERM)
        }

        @Test func `register.sh keeps an instance registered until it is stopped`() async throws {
            try await withServer { server in
                let process = try Self.shell(server)
                try Self.expectLife(of: process, server)
                #expect(try process.waitForExit() == .exited(0), "\(process.errors)")
                #expect(try Self.listed(server).isEmpty)
            }
        }

        @Test func `register.sh sends single heartbeats, and says what is wrong`() async throws {
            try await withServer { server in
                for _ in 0..<2 { #expect(try Self.shell(server, "once").waitForExit() == .exited(0)) }
                #expect(try Self.listed(server).map(\.id) == ["orders-10.0.0.1-8080"])
                #expect(try Self.shell(server, "stop").waitForExit() == .exited(0))
                #expect(try Self.listed(server).isEmpty)
                let script = ["/bin/sh", "\(Self.folder)/register.sh", "once"]
                let bad = try Self.start(script, server, ["SERVICE_PORT": "0"])
                #expect(try bad.waitForExit() == .exited(1) && bad.errors.contains("HTTP status 422"), "\(bad.errors)")
                let closed = try Self.start(script, server, ["KONG_DISCOVERY_URL": "http://\(try Endpoint.unused())"])
                #expect(try closed.waitForExit() == .exited(1) && closed.errors.contains("HTTP status 000"))
            }
        }

        @Test func `both use the token that they are given`() async throws {
            let folder = try TemporaryFolder()
            let made = try ServerProcess.start(["token", "--role", "write", "--services", Self.name])
            #expect(try made.waitForExit() == .exited(0))
            let lines = made.output.split(separator: "\n").map(String.init)
            let file = try folder.write("tokens.yaml", lines[1] + "\n")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
            let token = try folder.write("token", lines[0] + "\n")
            try await withServer(["server.tokens_file": file]) { server in
                let script = ["/bin/sh", "\(Self.folder)/register.sh", "once"]
                let without = try Self.start(script, server)
                #expect(try without.waitForExit() == .exited(1) && without.errors.contains("HTTP status 401"))
                let with = try Self.start(script, server, ["KONG_DISCOVERY_TOKEN_FILE": token])
                #expect(try with.waitForExit() == .exited(0), "\(with.errors)")
                let python = try Self.start(
                    Self.python + ["--", "sleep", "0"], server, ["KONG_DISCOVERY_TOKEN": lines[0]])
                #expect(try python.waitForExit() == .exited(0))
                #expect(python.errors.contains("registered as"), "\(python.errors)")
            }
        }

        private static let python = [
            "/usr/bin/python3", "\(folder)/register.py", "--name", name, "--ip", "10.0.0.1", "--port", "8080", "--ttl",
            "2", "--linger", "0",
        ]

        @Test func `register.py keeps an instance registered while its command runs`() async throws {
            try await withServer { server in
                let process = try Self.start(Self.python + ["--", "sleep", "1000"], server)
                try Self.expectLife(of: process, server)
                // The command has ended by SIGTERM.
                #expect(try process.waitForExit() == .exited(128 + SIGTERM), "\(process.errors)")
                #expect(try Self.listed(server).isEmpty)
            }
        }

        @Test func `register.py ends with its command, and as it did`() async throws {
            try await withServer { server in
                let process = try Self.start(Self.python + ["--", "sh", "-c", "exit 3"], server)
                #expect(try process.waitForExit() == .exited(3), "\(process.errors)")
                #expect(try Self.listed(server).isEmpty)
            }
        }
    }
}
