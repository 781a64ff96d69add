import Glibc
import Testing

extension ServerTests {
    /// How the server defends itself and others: what of it can be configured.
    @Suite struct DefenceTests {
        @Test func `SIGHUP changes who is answered, and how often; who is above the limit is counted and logged`()
            async throws
        {
            let folder = try TemporaryFolder()
            func write(_ dns: String) throws -> String { try folder.write("k.yaml", "dns: {\(dns)}\n") }
            try await withServer(file: write("rate_limit: {slip: 2}")) { server in
                var reloads = 0
                func reload(_ dns: String) throws {
                    _ = try write(dns)
                    server.process.signal(SIGHUP)
                    reloads += 1
                    try server.waitForLog("configuration reloaded", count: reloads)
                }
                // On loopback there is no limit by itself.
                for _ in 0..<300 { #expect(try server.ask("service.kong", .soa).answers.count == 1) }

                try reload("rate_limit: {responses_per_second: 5, slip: 1}")
                let replies = try (0..<100).map { _ in try server.ask("service.kong", .soa) }
                #expect(replies.count(where: \.isTruncated) > 50 && !replies[0].isTruncated)
                #expect(replies.allSatisfy { $0.isTruncated == $0.answers.isEmpty })
                #expect(try server.ask("service.kong", .soa, over: .tcp).answers.count == 1)
                try server.waitForLog("limit=dns.rate_limit network=127.0.0.0/24")
                let metrics = try HTTPConnection(server.rest).request("GET", "/metrics").text
                let limited = try #require(
                    metrics.firstMatch(of: /\nkong_discovery_dns_rate_limited_truncated_total ([0-9]+)/)?.1)
                #expect(Int(limited) ?? 0 > 50)

                try reload("rate_limit: {responses_per_second: 0}, allow: [192.0.2.0/24]")
                #expect(try server.ask("service.kong", .soa).code == .refused)
                try reload("allow: [192.0.2.0/24, 127.0.0.0/8]")
                for _ in 0..<50 { #expect(try server.ask("service.kong", .soa).answers.count == 1) }
            }
        }

        @Test func `kdig gets a cookie that holds, and the identifier`() async throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "dns: {nsid: dns-1}\n")
            try await withServer(file: file) { server in
                let first = try Kdig.ask(server.dns[0], "service.kong", "SOA", "+cookie=0102030405060708", "+nsid")
                #expect(first.output.contains("dns-1"), "\(first.output)")
                let cookie = try #require(first.output.firstMatch(of: /COOKIE: (0102030405060708[0-9A-Fa-f]{32})/)?.1)
                let second = try Kdig.ask(server.dns[0], "service.kong", "SOA", "+cookie=\(cookie)")
                #expect(second.output.lowercased().contains("cookie: \(cookie.lowercased())"), "\(second.output)")
                let plain = try Kdig.ask(server.dns[0], "service.kong", "SOA", "+edns")
                #expect(!plain.output.contains("COOKIE") && plain.answers.count == 1)
            }
        }
    }
}
