import Glibc
import Testing

extension ServerTests {
    /// What Kong's clients need and no other client asks for.
    @Suite struct KongTests {
        private static let query = DNSMessage.query("orders.service.kong", .srv, id: 7, payload: nil)

        private func registerMany(_ server: ServerProcess) throws {
            let rest = try HTTPConnection(server.rest)
            _ = try rest.batch(
                register: (1...64).map { Registration("orders", "10.0.0.\($0)", port: 8000 + $0) })
        }

        @Test func `with large_udp 64 instances are answered over UDP, without EDNS`() async throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("k.yaml", "dns: {large_udp: {networks: [127.0.0.0/8, '::1']}}\n")
            for workers in ["1", "2"] {
                try await withServer(["dns.workers": workers], file: file) { server in
                    try registerMany(server)
                    for _ in 0..<100 {
                        let client = try DNSClient(server.dns[0])
                        try client.send(Self.query)
                        let reply = try client.receive()
                        #expect(!reply.isTruncated && reply.answers.count == 64 && reply.code == .noError)
                        // ADDITIONAL has only what fits, and no OPT record.
                        #expect(reply.additional.allSatisfy { $0.type == RecordType.a.rawValue })
                    }
                }
            }
        }

        @Test func `SIGHUP changes which clients get large answers`() async throws {
            let folder = try TemporaryFolder()
            func write(_ networks: String) throws -> String {
                try folder.write("k.yaml", "dns: {large_udp: {networks: [\(networks)]}}\n")
            }
            try await withServer(file: try write("10.0.0.0/8")) { server in
                try registerMany(server)
                func isTruncated() throws -> Bool {
                    let client = try DNSClient(server.dns[0])
                    try client.send(Self.query)
                    return try client.receive().isTruncated
                }
                #expect(try isTruncated())
                _ = try write("127.0.0.1")
                server.process.signal(SIGHUP)
                try eventually("it is read") { try !isTruncated() }
                _ = try write("")
                server.process.signal(SIGHUP)
                try eventually("it is read") { try isTruncated() }
                #expect(!server.logLines.contains { $0.contains("needs a restart") })
            }
        }

        @Test func `with literal targets there is nothing more to ask`() async throws {
            try await withServer(["dns.srv_targets": "literal"]) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1", port: 81, weight: 200))
                try rest.register(Registration("orders", "fd00::1", port: 82, weight: 100))
                // For the same target and port the higher weight counts.
                try rest.register(Registration("orders", "10.0.0.1", port: 81, protocol: "udp", weight: 50))
                let reply = try server.ask("orders.service.kong", .srv)
                #expect(Set(reply.texts) == ["0 2 81 10.0.0.1", "0 1 82 fd00::1"])
                #expect(reply.additional.isEmpty && reply.isAuthoritative)
                let kdig = try Kdig.ask(server.dns[0], "_orders._tcp.service.kong", "SRV")
                let targets = kdig.answers.map { $0.replacing("\\", with: "") }
                #expect(Set(targets) == ["0 2 81 10.0.0.1.", "0 1 82 fd00::1."] && kdig.additional.isEmpty)
            }
        }

        @Test func `targets' addresses have a TTL of their own`() async throws {
            for (value, seconds) in [("", UInt32(86_400)), ("2h", 7200), ("168h", 604_800)] {
                try await withServer(["dns.addr_ttl": value]) { server in
                    try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1"))
                    let reply = try server.ask("orders.service.kong", .srv)
                    #expect(reply.answers.map(\.ttl) == [5] && reply.additional.map(\.ttl) == [seconds])
                    #expect(try server.ask("0a000001.addr.service.kong").answers.map(\.ttl) == [seconds])
                    #expect(try server.ask("ns.service.kong").answers.map(\.ttl) == [5])
                }
            }
        }

        @Test func `an instance of weight 0 stands by`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1", id: "spare", weight: 0))
                try rest.register(Registration("orders", "10.0.0.2", id: "main", weight: 100))
                func targets() throws -> [String] { try server.ask("orders.service.kong", .srv).texts }
                let spare = "0 0 80 0a000001.addr.service.kong"
                let main = "0 1 80 0a000002.addr.service.kong"
                #expect(try targets() == [main])
                #expect(try server.ask("orders.service.kong").texts == ["10.0.0.2"])
                try rest.patch("main", #"{"draining":true}"#)
                #expect(try targets() == [spare])
                #expect(try server.ask("orders.service.kong").texts == ["10.0.0.1"])
                try rest.patch("main", #"{"draining":false,"weight":0}"#)
                #expect(try Set(targets()) == [spare, "0 0 80 0a000002.addr.service.kong"])
                try rest.patch("main", #"{"weight":7}"#)
                #expect(try targets() == [main])
            }
        }
    }
}
