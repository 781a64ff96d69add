import Testing

@testable import Engine

/// Reasons of errors for clients with EDNS (RFC 8914). Those of forwarded names are in `ForwardingTests`.
struct ExtendedErrorTests {
    /// The code of the reason in a reply without a text; `nil`: there is none.
    private func reason(_ reply: TestReply) -> UInt8? {
        let option = reply.octets.suffix(8)
        return option.starts(with: [0, 6, 0, 15, 0, 2, 0]) ? option.last : nil
    }

    private func makeServer(servers: [String] = [], allow: [IPNetwork]? = nil) throws -> TestServer {
        var configuration = EngineConfiguration.test()
        configuration.forwarding.upstreams.servers = servers.compactMap { SocketAddress($0) }
        let loopback = IPNetwork(.v4(0x7F00_0000), prefixLength: 8)
        configuration.forwarding.upstreams.allow = allow ?? [loopback]
        let server = try TestServer(configuration)
        try server.publish(["web": .records([.a(2)])])
        return server
    }

    @Test func `4.21 without recursion a name outside is Not Authoritative`() throws {
        var query = TestQuery("example.com").offering(payload: 1232)
        #expect(reason(try makeServer().ask(query)) == 20)
        query.recursionDesired = false
        #expect(reason(try makeServer(servers: ["192.0.2.1:53"]).ask(query)) == 20)
        #expect(reason(try makeServer(servers: ["192.0.2.1:53"], allow: []).ask(query)) == 20)
        for recordClass: UInt16 in [3, 4, 254, 255] {
            query.recordClass = recordClass
            #expect(reason(try makeServer().ask(query)) == 20)
        }
    }

    @Test func `4.19 a client that may have no recursion is Prohibited`() throws {
        let query = TestQuery("example.com").offering(payload: 1232)
        let reply = try makeServer(servers: ["192.0.2.1:53"], allow: []).ask(query)
        #expect(reply.outcome == .refused && reason(reply) == 18)
        let transfer = TestQuery("service.kong", .axfr).offering(payload: 1232)
        #expect(reason(try makeServer().ask(transfer)) == 18)
    }

    @Test func `3 a reason is only for clients with EDNS, and answers have none`() throws {
        #expect(try makeServer().ask(TestQuery("example.com")).octets[10...11] == [0, 0])
        #expect(reason(try makeServer().ask(TestQuery("web.service.kong").offering(payload: 1232))) == nil)
        #expect(reason(try makeServer().ask(TestQuery("none.service.kong").offering(payload: 1232))) == nil)
    }

    @Test func `the longest question has room for a reason`() throws {
        let labels = [63, 63, 63, 61].map { String(repeating: "n", count: $0) }
        let query = TestQuery(labels.joined(separator: ".")).offering(payload: 512)
        let reply = try makeServer().ask(query)
        #expect(reason(reply) == 20 && reply.octets.count <= 512)
    }
}
