import Foundation
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
                #expect(expired.count == 2 && expired.last?.contains(#""id":"seen""#) == true)
                #expect(expired.first?.hasSuffix(#"reason="no heartbeat for 1 s""#) == true)

                _ = try folder.write("k.yaml", "log: {level: warning}\nheartbeat: {cleanup_interval: 50ms}\n")
                server.process.signal(SIGHUP)
                // At this level the reload itself logs nothing, but a key that needs a restart is a warning.
                _ = try folder.write("k.yaml", "log: {level: warning}\ndns: {ttl: 9s}\n")
                server.process.signal(SIGHUP)
                try server.waitForLog("needs a restart key=dns.ttl")
                #expect(try server.ask("service.kong", .soa).answers.map(\.ttl) == [5])
            }
        }

        @Test func `SIGHUP changes the limit of requests, and who is above it is logged ten times`() async throws {
            let folder = try TemporaryFolder()
            func write(_ limit: Int) throws -> String {
                try folder.write("k.yaml", "server: {rate_limit: {requests_per_second: \(limit)}}\n")
            }
            try await withServer(file: write(0)) { server in
                let rest = try HTTPConnection(server.rest)
                for _ in 0..<20 { #expect(try rest.request("GET", "/api/v1/names").status == 200) }
                _ = try write(1)
                server.process.signal(SIGHUP)
                try server.waitForLog("configuration reloaded")
                var refused = 0
                for _ in 0..<50 {
                    let status = try rest.request("GET", "/api/v1/names").status
                    #expect(status == 200 || status == 429)
                    if status == 429 { refused += 1 }
                }
                #expect(refused > 20)
                #expect(try rest.request("GET", "/ready").status == 200)
                let line = "a request is refused: its client makes more than server.rate_limit allows"
                try server.waitForLog("\(line) client=127.0.0.1 kind=requests requests_per_second=1", count: 10)
                _ = try write(0)
                server.process.signal(SIGHUP)
                while try rest.request("GET", "/api/v1/names").status == 429 { usleep(2000) }
                #expect(server.logLines.filter { $0.contains(line) }.count == 10)
            }
        }

        @Test func `SIGUSR1 writes the status to the log, and SIGUSR2 does nothing`() async throws {
            struct Line: Decodable { var status: Status }
            struct Status: Decodable {
                var version: String
                var ready: Bool
            }
            func expectStatus(_ json: some StringProtocol) throws {
                let status = try JSONDecoder().decode(Status.self, from: Data(json.utf8))
                #expect(status.ready && !status.version.isEmpty)
            }
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "log: {format: text}\n")
            try await withServer(file: file) { server in
                for count in 1...2 {
                    server.process.signal(SIGUSR2)
                    server.process.signal(SIGUSR1)
                    try server.waitForLog(" status status={", count: count)
                    try server.expectWell()
                }
                let line = try #require(server.logLines.last { $0.contains("uptime_seconds") })
                try expectStatus(line.drop { $0 != "{" })

                // A requested status is logged at any level.
                _ = try folder.write("k.yaml", "log: {format: json, level: warning}\ndns: {ttl: 9s}\n")
                server.process.signal(SIGHUP)
                try server.waitForLog(#""message":"a changed key needs a restart""#)
                server.process.signal(SIGUSR1)
                try server.waitForLog(#""message":"status""#)
                let json = try #require(server.logLines.last { $0.contains("uptime_seconds") })
                _ = try JSONDecoder().decode(Line.self, from: Data(json.utf8))
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
