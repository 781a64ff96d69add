import Glibc
import Testing

extension ServerTests {
    /// SIGHUP reads the configuration again.
    @Suite struct ReloadTests {
        @Test func `SIGHUP changes level and format of the log`() async throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "log: {level: info}\nheartbeat: {cleanup_interval: 50ms}\n")
            try await withServer(file: file) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("unseen", "10.0.0.1", id: "unseen", ttl: 1))
                while try server.ask("unseen.service.kong").code == .noError { usleep(2000) }

                _ = try folder.write(
                    "k.yaml", "log: {level: debug, format: json}\nheartbeat: {cleanup_interval: 50ms}\n")
                server.process.signal(SIGHUP)
                try server.waitForLog(#""message":"configuration reloaded""#)
                try rest.register(Registration("seen", "10.0.0.1", id: "seen", ttl: 1))
                try server.waitForLog(#""message":"instance expired""#)
                let expired = server.logLines.filter { $0.contains("instance expired") }
                #expect(expired.count == 1 && expired.first?.contains(#""id":"seen""#) == true)

                _ = try folder.write("k.yaml", "log: {level: warning}\nheartbeat: {cleanup_interval: 50ms}\n")
                server.process.signal(SIGHUP)
                // Says nothing of itself at this level, but what needs a restart is a warning.
                _ = try folder.write("k.yaml", "log: {level: warning}\ndns: {ttl: 9s}\n")
                server.process.signal(SIGHUP)
                try server.waitForLog("needs a restart key=dns.ttl")
                #expect(try server.ask("service.kong", .soa).answers.map(\.ttl) == [5])
            }
        }

        @Test func `a bad file is logged and changes nothing`() async throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "dns: {ttl: 8s}\n")
            let server = try ServerProcess(file: file)
            try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1"))
            _ = try folder.write("k.yaml", "log: {level: loud}\ndns: {tttl: 9s}\n")
            server.process.signal(SIGHUP)
            try server.waitForLog("configuration not reloaded", count: 2)
            let problems = server.logLines.filter { $0.contains("configuration not reloaded") }
            #expect(problems.count { $0.contains("log.level") } == 1)
            #expect(problems.count { $0.contains("dns.tttl") } == 1)
            #expect(try server.ask("orders.service.kong").answers.map(\.ttl) == [8])
            _ = try folder.write("k.yaml", "dns: {ttl: 8s}\n")
            server.process.signal(SIGHUP)
            try server.waitForLog("configuration reloaded")
            try server.stop()
        }

        @Test func `no query and no request is lost while the configuration is read again and again`() async throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "log: {level: info}\n")
            try await withServer(["dns.workers": "2"], file: file) { server in
                try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1"))
                let working = Countdown(2)
                async let queries: Void = Self.ask(server, working)
                async let requests: Void = Self.change(server, working)
                var reloads = 0
                repeat {
                    server.process.signal(SIGHUP)
                    reloads += 1
                    try server.waitForLog("configuration reloaded", count: reloads)
                } while !working.isOver
                try await queries
                try await requests
                #expect(reloads > 1)
            }
        }

        private static func ask(_ server: ServerProcess, _ working: Countdown) async throws {
            defer { working.step() }
            for turn in 0..<500 {
                let reply = try server.ask("orders.service.kong", over: turn % 3 == 0 ? .tcp : .udp)
                try #require(reply.texts == ["10.0.0.1"])
            }
        }

        private static func change(_ server: ServerProcess, _ working: Countdown) async throws {
            defer { working.step() }
            let rest = try HTTPConnection(server.rest)
            for _ in 0..<150 { try rest.deregister(try rest.register(Registration("s", "10.0.0.2")).id) }
        }
    }
}
