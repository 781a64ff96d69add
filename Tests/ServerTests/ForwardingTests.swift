import Foundation
import Glibc
import Testing

extension ServerTests {
    /// Names outside, with the real program. The upstream is a second server, for another domain.
    @Suite struct ForwardingTests {
        private static let settings = ["dns.workers": "2", "dns.domain": "service.kong"]

        /// A server for `upstream.test` with one service.
        private static func makeUpstream(_ address: String) throws -> ServerProcess {
            let upstream = try ServerProcess(["dns.domain": "upstream.test", "dns.workers": "1"])
            try HTTPConnection(upstream.rest).register(Registration("db", address))
            return upstream
        }

        @Test func `a name outside comes through the upstream, stays in the cache, and can be flushed`() async throws {
            let upstream = try Self.makeUpstream("192.0.2.1")
            let servers = ["dns.upstream.servers": "\(upstream.dns[0])", "dns.cache.min_ttl": "60s"]
            try await withServer(Self.settings.merging(servers) { $1 }) { server in
                #expect(try server.ask("db.upstream.test").texts == ["192.0.2.1"])
                #expect(try server.ask("DB.upstream.test", over: .tcp).texts == ["192.0.2.1"])
                #expect(try server.ask("none.upstream.test").code == .nameError)
                try upstream.stop()
                #expect(try server.ask("db.upstream.test").texts == ["192.0.2.1"])

                let rest = try HTTPConnection(server.rest)
                let status = try rest.request("GET", "/api/v1/status").text
                #expect(status.contains(#""cache":{"entries":2,"#) && status.contains(#""hits":2,"misses":2,"#))
                #expect(status.contains(#""upstreams":[{"address":"\#(upstream.dns[0])","health":"pass""#))
                func flush(_ query: String) throws -> String {
                    try rest.request("DELETE", "/api/v1/cache\(query)").text.trimmingCharacters(in: .newlines)
                }
                #expect(try flush("?name=db.upstream.test") == #"{"removed":1}"#)
                #expect(try server.ask("db.upstream.test").code == .serverFailure)
                #expect(try flush("?name=upstream.test&subtree=true") == #"{"removed":2}"#)
                #expect(try flush("") == #"{"removed":0}"#)
                for bad in ["?name=a..b", "?subtree=maybe", "?nam=a", "?name=a&name=b"] {
                    #expect(try rest.request("DELETE", "/api/v1/cache\(bad)").status == 422, "\(bad)")
                }
                #expect(try rest.request("GET", "/api/v1/cache").status == 405)
            }
        }

        @Test func `a client outside recursion_allow is REFUSED, but gets the names of the zone`() async throws {
            let upstream = try Self.makeUpstream("192.0.2.1")
            let keys = ["dns.upstream.servers": "\(upstream.dns[0])", "dns.recursion_allow": "10.0.0.0/8"]
            try await withServer(Self.settings.merging(keys) { $1 }) { server in
                let reply = try server.ask("db.upstream.test")
                #expect(reply.code == .refused && reply.additional.isEmpty)
                try server.expectWell()
            }
            try upstream.stop()
        }

        @Test func `SIGHUP changes the upstreams, and no query is lost meanwhile`() async throws {
            let first = try Self.makeUpstream("192.0.2.1")
            let second = try Self.makeUpstream("192.0.2.2")
            let folder = try TemporaryFolder()
            func write(_ upstream: ServerProcess) throws -> String {
                try folder.write(
                    "k.yaml",
                    "dns: {workers: 2, cache: {max_entries: 0}, upstream: {servers: ['\(upstream.dns[0])'], timeout: 5s}}\n"
                )
            }
            let file = try write(first)
            try await withServer(file: file) { server in
                var seen: [String] = []
                for turn in 0..<400 {
                    if turn % 20 == 10 {
                        _ = try write(turn % 40 == 10 ? second : first)
                        server.process.signal(SIGHUP)
                    }
                    let reply = try server.ask("db.upstream.test", over: turn % 3 == 0 ? .tcp : .udp)
                    #expect(reply.code == .noError)
                    seen += reply.texts
                }
                try server.waitForLog("configuration reloaded")
                #expect(seen.count == 400 && Set(seen) == ["192.0.2.1", "192.0.2.2"])
            }
            try first.stop()
            try second.stop()
        }

        @Test func `an upstream that stops answering and comes back causes a line each, and a warning in between`()
            async throws
        {
            let upstream = try Self.makeUpstream("192.0.2.1")
            let keys = ["dns.upstream.servers": "\(upstream.dns[0])", "dns.cache.max_entries": "0"]
            try await withServer(Self.settings.merging(keys) { $1 }) { server in
                let rest = try HTTPConnection(server.rest)
                func health() throws -> String { try rest.request("GET", "/api/v1/health").text }
                #expect(try server.ask("db.upstream.test").texts == ["192.0.2.1"])
                #expect(try health().contains(#""upstreams":{"status":"pass",""#))
                try upstream.stop()
                for _ in 0..<3 { #expect(try server.ask("db.upstream.test").code == .serverFailure) }
                try server.waitForLog("upstream stopped answering")
                let warning = try health()
                #expect(warning.contains(#"{"status":"warn","#) && warning.contains(#""upstreams":{"status":"fail",""#))
                let back = try ServerProcess([
                    "dns.domain": "upstream.test", "dns.workers": "1", "dns.listen": "\(upstream.dns[0])",
                ])
                try server.waitForLog("upstream answers again")
                #expect(try health().contains(#""upstreams":{"status":"pass",""#))
                #expect(server.logLines.count { $0.contains("upstream=\(upstream.dns[0])") } == 2)
                try back.stop()
            }
        }

        @Test func `servers that name each other discover it, report it, and report its end`() async throws {
            let good = try Self.makeUpstream("192.0.2.1")
            let folder = try TemporaryFolder()
            func write(_ name: String, _ servers: [Endpoint]) throws -> String {
                let list = servers.map { "'\($0)'" }.joined(separator: ", ")
                return try folder.write(name, "dns: {workers: 2, upstream: {servers: [\(list)]}}\n")
            }
            try await withServer(file: write("a.yaml", [])) { first in
                try await withServer(file: write("b.yaml", first.dns)) { second in
                    _ = try write("a.yaml", second.dns)
                    first.process.signal(SIGHUP)
                    try first.waitForLog("upstream leads back to this server")
                    for _ in 0..<3 { #expect(try first.ask("db.upstream.test").code == .serverFailure) }
                    let status = try HTTPConnection(first.rest).request("GET", "/api/v1/status").text
                    #expect(status.contains(#""leads_back":true"#))
                    _ = try write("b.yaml", good.dns)
                    second.process.signal(SIGHUP)
                    try first.waitForLog("upstream leads back to this server no longer")
                    #expect(try first.ask("none.upstream.test").code == .nameError)
                }
            }
            try good.stop()
        }
    }
}
