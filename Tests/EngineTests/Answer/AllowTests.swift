import Testing

@testable import Engine

/// `dns.allow`: the clients that are answered.
struct AllowTests {
    private func client(_ server: TestEngine, _ host: String) throws -> (udp: TestSocket, tcp: TestSocket) {
        let local = SocketAddress(try #require(IPAddress(host)), port: 0)
        return (try .udp(server.address, from: local), try .tcp(server.address, from: local))
    }

    @Test func `clients elsewhere are REFUSED, whatever they ask, over UDP and TCP`() throws {
        let allowed = IPNetwork(.v4(0x7F01_0000), prefixLength: 16)
        let server = try TestEngine(defence: DefenceConfiguration(allow: [allowed]))
        let (inside, outside) = (try client(server, "127.1.2.3"), try client(server, "127.2.2.3"))
        for query in [
            web, big, TestQuery("none.service.kong"), TestQuery("localhost"), TestQuery("service.kong", .soa),
        ] {
            #expect(try outside.udp.ask(query).outcome == .refused)
            let reply = try outside.tcp.askFramed(query)
            #expect(reply.outcome == .refused && reply.questions.count == 1)
        }
        #expect(try inside.udp.ask(web).addresses.count == 3)
        #expect(try inside.tcp.askFramed(big).addresses.count > 1000)

        try server.engine.reconfigure(DefenceConfiguration(allow: [IPNetwork(.v4(0x7F02_0000), prefixLength: 16)]))
        #expect(try outside.udp.ask(web).addresses.count == 3)
        #expect(try inside.udp.ask(web).outcome == .refused)
        try server.engine.reconfigure(DefenceConfiguration())
        #expect(try inside.udp.ask(web).addresses.count == 3)
    }

    @Test func `fifty thousand networks are as good as one`() throws {
        var networks = (0..<50_000).map { IPNetwork(.v4(0x0A00_0000 + UInt32($0) << 9), prefixLength: 24) }
        networks.append(IPNetwork(.v4(0x7F01_0203), prefixLength: 32))
        let server = try TestEngine(defence: DefenceConfiguration(allow: networks))
        #expect(try client(server, "127.1.2.3").udp.ask(web).addresses.count == 3)
        #expect(try client(server, "127.1.2.4").udp.ask(web).outcome == .refused)
    }
}
