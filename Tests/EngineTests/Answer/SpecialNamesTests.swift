import Testing

@testable import Engine

/// Names outside that are answered here, whatever upstreams would say.
struct SpecialNamesTests {
    private func makeServer(servers: [String] = [], allow: [IPNetwork] = [.loopback]) throws -> TestServer {
        var configuration = EngineConfiguration.test()
        configuration.forwarding.upstreams.servers = servers.compactMap { SocketAddress($0) }
        configuration.forwarding.upstreams.allow = allow
        return try TestServer(configuration)
    }

    private func expectNegative(_ reply: TestReply, _ outcome: TestReply.Outcome, zone: String) throws {
        #expect(reply.outcome == outcome && reply.isAuthoritative)
        let soa = try #require(reply.authority.first)
        let origin = try wireName(zone)
        #expect(reply.authority.count == 1 && soa.type == 6 && soa.lowerCaseOwner == origin)
        #expect(soa.ttl >= 1 && soa.data.starts(with: origin))
    }

    // RFC 6761 §6.3.
    @Test(arguments: ["localhost", "LocalHost", "web.localhost", "a.b.localhost"], [[], ["192.0.2.1:53"]])
    func `localhost and names below it are this machine`(_ name: String, _ servers: [String]) throws {
        let server = try makeServer(servers: servers)
        for edns in [false, true] {
            func ask(_ type: RecordType) throws -> TestReply {
                let query = TestQuery(name, type)
                return try server.ask(edns ? query.offering(payload: 1232) : query)
            }
            #expect(try ask(.a).addresses == [.v4(0x7F00_0001)])
            #expect(try ask(.aaaa).addresses == [.v6(0, 1)])
            #expect(try ask(.a).answers.first?.owner == (try wireName(name)))
            #expect(try ask(.any).answers.map(\.type) == [RecordType.hinfo.rawValue])
            for type: RecordType in [.srv, .txt, .ns, .soa] {
                try expectNegative(try ask(type), .noData, zone: "localhost")
            }
        }
    }

    // RFC 6761 §6.4.
    @Test(arguments: ["invalid", "db.INVALID", "a.b.invalid"])
    func `invalid does not exist`(_ name: String) throws {
        for type: RecordType in [.a, .aaaa, .srv, .any] {
            try expectNegative(try makeServer().ask(TestQuery(name, type)), .nameError, zone: "invalid")
        }
    }

    // RFC 9462 §6.4.
    @Test(arguments: ["_dns.resolver.arpa", "resolver.arpa", "_8530._https.resolver.arpa"])
    func `no resolver is designated in place of this one`(_ name: String) throws {
        for type in [RecordType(rawValue: 64), .a, .any] {
            let reply = try makeServer(servers: ["192.0.2.1:53"]).ask(TestQuery(name, type))
            try expectNegative(reply, .noData, zone: "resolver.arpa")
        }
    }

    @Test(arguments: ["xlocalhost", "localhost.example", "arpa", "10.in-addr.arpa", "invalid.example", "."])
    func `other names are not answered here`(_ name: String) throws {
        #expect(try makeServer().ask(TestQuery(name)).outcome == .refused)
        // Nobody answers at this address: the query is forwarded, and waits.
        let server = try makeServer(servers: ["192.0.2.1:53"])
        #expect(server.reply(to: try TestQuery(name).octets) == nil)
    }

    @Test func `the longest names have room for their negative answer`() throws {
        let label = String(repeating: "a", count: 63)
        for zone in ["localhost", "invalid", "resolver.arpa"] {
            let name = [label, label, label, String(repeating: "b", count: 60 - zone.utf8.count), zone]
                .joined(separator: ".")
            let reply = try makeServer().ask(TestQuery(name, .txt).offering(payload: 512))
            #expect(reply.octets.count <= 512 && reply.authority.count == 1)
        }
    }

    @Test func `a client that may have no names outside is REFUSED these too`() throws {
        let server = try makeServer(allow: [IPNetwork(.v4(0x0A00_0000), prefixLength: 8)])
        for name in ["localhost", "x.invalid", "_dns.resolver.arpa"] {
            #expect(try server.ask(TestQuery(name)).outcome == .refused)
        }
    }

    @Test func `a zone with such a name comes first`() throws {
        var configuration = EngineConfiguration.test(origin: "kong.localhost")
        configuration.forwarding.upstreams.allow = [.loopback]
        let server = try TestServer(["web": .records([.a(2)])], configuration)
        #expect(try server.ask(TestQuery("web.kong.localhost")).addresses.count == 2)
        #expect(try server.ask(TestQuery("x.kong.localhost")).outcome == .nameError)
        #expect(try server.ask(TestQuery("x.localhost")).addresses == [.v4(0x7F00_0001)])
    }
}

extension IPNetwork {
    fileprivate static let loopback = IPNetwork(.v4(0x7F00_0000), prefixLength: 8)
}
