import Foundation
import Testing

extension ServerTests {
    /// What a server says of its own health.
    @Suite struct HealthTests {
        private struct Health: Decodable, Equatable {
            struct Part: Decodable, Equatable {
                var status: String
                var message: String
            }
            var status: String
            var checks: [String: Part]
        }
        private struct Status: Decodable {
            var health: Health
        }

        @Test func `health and status say the same, with a sentence for each part`() async throws {
            let folder = try TemporaryFolder()
            let settings = [
                "dns.upstream.servers": "127.0.0.1:9", "storage.type": "sqlite",
                "storage.sqlite.path": "\(folder.path)/a.db", "dns.upstream.timeout": "200ms",
            ]
            try await withServer(settings) { server in
                let rest = try HTTPConnection(server.rest)
                func health() throws -> Health {
                    let response = try rest.request("GET", "/api/v1/health")
                    #expect(response.status == 200)
                    return try response.decoded()
                }
                let well = try health()
                #expect(Set(well.checks.keys) == ["dns", "storage", "upstreams", "checker", "queue"])
                #expect(well.checks.values.allSatisfy { !$0.message.isEmpty })
                #expect(well.checks["storage"]?.message == "changes are kept in sqlite")
                // Nobody listens there.
                try eventually("the upstream is found out") {
                    _ = try server.ask("www.example.com")
                    return try health().checks["upstreams"]?.status == "fail"
                }
                let bad = try health()
                #expect(bad.status == "warn")
                #expect(bad.checks["upstreams"]?.message.contains("127.0.0.1:9") == true, "\(bad)")
                let status: Status = try rest.request("GET", "/api/v1/status").decoded()
                #expect(status.health == bad)
            }
        }
    }
}
