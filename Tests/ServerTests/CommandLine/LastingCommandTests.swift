import Foundation
import Testing

extension ServerTests {
    /// Commands that go on until somebody stops them, and what commands do on a terminal.
    @Suite struct LastingCommandTests {
        private func register(_ run: CommandRunner, _ id: String, _ ip: String) throws {
            let result = try run("services", "register", "web", "--ip", ip, "--port", "80", "--id", id, "--ttl", "60")
            #expect(result.isDone)
        }

        private func stop(_ process: ChildProcess) throws {
            process.signal(SIGINT)
            #expect(try process.waitForExit() == .exited(0) && process.errors.isEmpty, "\(process.errors)")
        }

        @Test func `events are told as they happen, and go on behind the last one after a restart of the connection`()
            async throws
        {
            try await withServer { server in
                let proxy = try TCPProxy(to: server.rest)
                let run = CommandRunner(url: "http://\(server.rest)")
                try register(run, "w1", "10.0.0.1")
                let json = try CommandRunner(url: "http://\(proxy.endpoint)").start([
                    "events", "--snapshot", "--json", "--name", "web",
                ])
                let text = try run.start(["events", "--snapshot"])
                #expect(try text.waitForOutput { $0.contains("live") })
                #expect(try json.waitForOutput { $0.contains("{\"event\":\"live\"") })
                try HTTPConnection(server.rest).patch("w1", #"{"weight":5}"#)
                #expect(try json.waitForOutput { $0.contains("{\"event\":\"updated\"") })
                proxy.set(.close)
                #expect(try json.waitForErrors { $0.contains("trying again") })
                proxy.set(.pass)
                try HTTPConnection(server.rest).deregister("w1")
                #expect(try json.waitForOutput { $0.contains("{\"event\":\"deregistered\"") })
                let events = json.output.split(separator: "\n").compactMap { $0.firstMatch(of: /"event":"(\w+)"/)?.1 }
                #expect(events == ["instance", "live", "updated", "deregistered"])
                json.signal(SIGINT)
                #expect(try json.waitForExit() == .exited(0))
                #expect(try text.waitForOutput { $0.contains("deregistered") })
                #expect(text.output.contains("updated") && text.output.contains("10.0.0.1:80"))
                try stop(text)
            }
        }

        @Test func `heartbeats go on until the server does not know the instance`() async throws {
            try await withServer(["heartbeat.cleanup_interval": "100ms"]) { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                try register(run, "w1", "10.0.0.1")
                let beating = try run.start(["services", "heartbeat", "w1", "--every", "200ms"])
                let connection = try HTTPConnection(server.rest)
                func expiry() throws -> String? {
                    try connection.request("GET", "/api/v1/services/w1").decoded(as: Instance.self).expiresAt
                }
                let first = try expiry()
                try eventually("a heartbeat") { try expiry() != first }
                try connection.deregister("w1")
                #expect(try beating.waitForExit() == .exited(1))
                #expect(beating.errors.contains("w1: the server does not know it: register it again"))
                try register(run, "w1", "10.0.0.1")
                let again = try run.start(["services", "heartbeat", "w1", "--every", "200ms"])
                let second = try expiry()
                try eventually("a heartbeat") { try expiry() != second }
                try stop(again)
            }
        }

        @Test func `a watched list is printed again when it changes`() async throws {
            try await withServer { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                try register(run, "w1", "10.0.0.1")
                let json = try run.start(["services", "list", "--watch", "--json"])
                let names = try run.start(["names", "--watch"])
                #expect(try json.waitForOutput { $0.contains("10.0.0.1") })
                #expect(try names.waitForOutput { $0.contains(#/web +1 /#) })
                try register(run, "w2", "10.0.0.2")
                #expect(try json.waitForOutput { $0.contains("10.0.0.2") })
                #expect(try names.waitForOutput { $0.contains(#/web +2 /#) })
                try stop(json)
                try stop(names)
            }
        }

        /// A command's line on a terminal of 60 columns.
        private func terminal(_ command: String) -> String {
            "script -qefc \"stty cols 60 rows 10; \(command)\" /dev/null"
        }

        @Test func `on a terminal tables fit and have colours, unless NO_COLOR or a dumb one`() async throws {
            try await withServer { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                try register(run, "w1", "10.0.0.1")
                let long = String(repeating: "long-name-", count: 5) + "x"
                _ = try run("services", "register", long, "--ip", "10.0.0.2", "--port", "80", "--id", "w2")
                let list = try run.shell(terminal("$KONG_DISCOVERY services list"))
                #expect(list.output.contains("\u{1B}[32mpassing\u{1B}[0m") && list.output.contains("long-name-lo"))
                let plain = list.output.replacing(/\u{1B}\[[0-9]*m/, with: "").split(whereSeparator: \.isNewline)
                #expect(plain.count == 3 && plain.allSatisfy { $0.count <= 60 } && plain[2].contains("…"), "\(plain)")
                for setting in ["NO_COLOR=1", "TERM=dumb"] {
                    let list = try run.shell(terminal("\(setting) $KONG_DISCOVERY services list"))
                    #expect(!list.output.contains("\u{1B}") && list.output.contains("…"), "\(setting)")
                }
                #expect(try run("services", "list").output.contains(long))
                let explained = try run.shell(terminal("$KONG_DISCOVERY explain web.service.kong A"))
                #expect(explained.output.contains("\u{1B}[32mNOERROR\u{1B}[0m"))
            }
        }

        @Test func `on a terminal a watched list takes the place of the one before, until SIGINT`() async throws {
            try await withServer { server in
                let run = CommandRunner(url: "http://\(server.rest)")
                for number in 1...9 { try register(run, "w\(number)", "10.0.0.\(number)") }
                let folder = try TemporaryFolder()
                let watch = try run.startShell(
                    terminal("echo \\$\\$ > pid; exec $KONG_DISCOVERY services list --watch"), folder: folder.path
                )
                // Ten lines have room for seven, and one that says that there are more.
                #expect(try watch.waitForOutput { $0.contains("… and more") })
                #expect(watch.output.hasPrefix("\u{1B}[2J\u{1B}[H"))
                try HTTPConnection(server.rest).patch("w1", #"{"draining":true}"#)
                #expect(try watch.waitForOutput { $0.contains("draining") })
                let text = try String(contentsOfFile: "\(folder.path)/pid", encoding: .utf8)
                kill(try #require(pid_t(text.trimmingCharacters(in: .newlines))), SIGINT)
                #expect(try watch.waitForExit() == .exited(0))
            }
        }
    }
}
