import Testing

@testable import Engine

/// The names of CONTRACT.md, section 3, and their answers.
struct AnswerTests {
    private let targets: [IPAddress] = [.ten(1), .ten(2)]

    private func makeServer() throws -> TestServer {
        try TestServer([
            "web": .records([.a(3, ttl: 7), .aaaa(1, ttl: 9), .srv(targets)]),
            "_web._tcp": .records([.srv(targets)]),
            "empty": .records([]),
            "broken": .failure,
        ])
    }

    @Test func `A has the addresses of its name`() throws {
        let reply = try makeServer().ask("web", .a)
        #expect(reply.addresses == [.ten(0), .ten(1), .ten(2)])
        #expect(reply.answers.allSatisfy { $0.type == 1 && $0.recordClass == 1 && $0.ttl == 7 })
        #expect(reply.isResponse && reply.isAuthoritative && !reply.isTruncated)
        #expect(reply.authority.isEmpty && reply.additional.isEmpty && reply.edns == nil)
    }

    @Test func `AAAA has the addresses of its name`() throws {
        let reply = try makeServer().ask("web", .aaaa)
        #expect(reply.addresses == [.unique(0)])
        #expect(reply.answers.map(\.ttl) == [9])
    }

    @Test(arguments: ["web", "_web._tcp"])
    func `SRV has priority, weight, port and the target's name, and its address in ADDITIONAL`(_ name: String) throws {
        let reply = try makeServer().ask(name, .srv)
        let services = reply.services
        #expect(services.map(\.priority) == [1, 1])
        #expect(services.map(\.weight) == [2, 2])
        #expect(services.map(\.port) == [1, 2])
        let names = try ["0a000001", "0a000002"].map { try wireName("\($0).addr.service.kong") }
        #expect(services.map(\.target) == names)
        #expect(reply.additional.map(\.owner) == names)
        #expect(reply.additional.compactMap { IPAddress(octets: $0.data) } == targets)
        // The data of these records can't change, so they may be kept for longer.
        #expect(reply.answers.allSatisfy { $0.ttl == 5 })
        #expect(reply.additional.allSatisfy { $0.ttl == 86_400 && $0.recordClass == 1 })
    }

    @Test(arguments: ["web", "empty", "ns", ""])
    func `a name without the type is NODATA with the SOA (RFC 2308 §2.2)`(_ name: String) throws {
        let reply = try makeServer().ask(name, .txt)
        #expect(reply.outcome == .noData)
        try expectNegative(reply)
    }

    @Test(arguments: ["nothing", "web.web", "tcp", "_tcp.web", "x.nothing", "0a000001"])
    func `a name that is not there is NXDOMAIN with the SOA (RFC 2308 §2.1)`(_ name: String) throws {
        for type: RecordType in [.a, .aaaa, .srv, .any] {
            let reply = try makeServer().ask(name, type)
            #expect(reply.outcome == .nameError)
            try expectNegative(reply)
        }
    }

    @Test func `an empty non-terminal is NODATA (RFC 4592 §2.2.2)`() throws {
        for name in ["_tcp", "addr"] {
            for type: RecordType in [.a, .srv, .any] {
                let reply = try makeServer().ask(name, type)
                #expect(reply.outcome == .noData)
                try expectNegative(reply)
            }
        }
    }

    /// A negative answer: AA, and in AUTHORITY the zone's SOA with the negative TTL (RFC 2308 §3).
    private func expectNegative(_ reply: TestReply) throws {
        #expect(reply.isAuthoritative && reply.answers.isEmpty && reply.additional.isEmpty)
        let soa = try #require(reply.authority.first)
        #expect(reply.authority.count == 1 && soa.type == 6 && soa.ttl == 3)
        #expect(soa.owner == (try wireName("service.kong")))
        #expect(soa.data.suffix(4) == [0, 0, 0, 3])
    }

    @Test(arguments: [(60, 3, 3), (2, 9, 2), (7, 7, 7)] as [(UInt32, UInt32, UInt32)])
    func `a negative answer lives for the lower of the zone's TTL and its MINIMUM (RFC 2308 §3)`(
        ttl: UInt32, minimum: UInt32, expected: UInt32
    ) throws {
        var configuration = EngineConfiguration.test()
        configuration.zone.ttl = ttl
        configuration.zone.negativeTTL = minimum
        let server = try TestServer(["web": .records([.a(1)])], configuration)
        for reply in try [server.ask("none"), server.ask("web", .aaaa)] {
            let soa = try #require(reply.authority.first)
            #expect(soa.ttl == expected)
            #expect(soa.data.suffix(4) == [0, 0, 0, UInt8(minimum)])
        }
    }

    @Test func `the apex has SOA and NS`() throws {
        let server = try makeServer()
        let soa = try server.ask("", .soa)
        #expect(soa.answers.map(\.ttl) == [60] && soa.isAuthoritative)
        let names = try wireName("ns.service.kong") + wireName("hostmaster.service.kong")
        let data = try #require(soa.answers.first?.data)
        #expect(data.prefix(names.count) == names[...])
        // The serial is the update's. MINIMUM is the negative TTL.
        #expect(data.dropFirst(names.count).prefix(4) == [0, 0, 0, 2])
        #expect(data.suffix(4) == [0, 0, 0, 3])
        try server.publish([:])
        #expect(try server.ask("", .soa).answers.first?.data.dropFirst(names.count).prefix(4) == [0, 0, 0, 3])
        let ns = try server.ask("", .ns)
        #expect(ns.answers.map(\.data) == [try wireName("ns.service.kong")])
        #expect(try server.ask("", .a).outcome == .noData)
    }

    @Test func `the name server has its addresses, each once`() throws {
        #expect(try makeServer().ask("ns", .a).addresses == [.v4(0x7F00_0001)])
        #expect(try makeServer().ask("ns", .aaaa).addresses == [.v6(0, 1)])
    }

    @Test func `a failure is SERVFAIL for every type, never NXDOMAIN`() throws {
        for type: RecordType in [.a, .aaaa, .srv, .any, .txt] {
            let reply = try makeServer().ask("broken", type)
            #expect(reply.outcome == .serverFailure)
            #expect(reply.answers.isEmpty && reply.authority.isEmpty && !reply.isAuthoritative)
        }
    }

    @Test func `ANY is answered with HINFO (RFC 8482 §4.2)`() throws {
        for name in ["web", "", "ns", "0a000001.addr"] {
            let reply = try makeServer().ask(name, .any)
            #expect(reply.answers.map(\.type) == [13])
            #expect(reply.answers.first?.data == [7] + "RFC8482".utf8 + [0])
        }
        #expect(try makeServer().ask("empty", .any).outcome == .noData)
    }

    @Test func `names are compared without regard to case, and echoed byte for byte (RFC 4343 §3)`() throws {
        let server = try makeServer()
        for name in ["WEB.SERVICE.KONG", "wEb.sErViCe.KoNg"] {
            let query = TestQuery(name, .srv)
            let octets = try query.octets
            let reply = try server.ask(query)
            #expect(reply.octets[12..<octets.count] == octets[12...])
            #expect(reply.services.count == 2)
            // Targets are always in lower case.
            #expect(reply.services.first { $0.port == 1 }?.target == (try wireName("0a000001.addr.service.kong")))
        }
        let octets = try TestQuery("NoThInG.sErViCe.KoNg").octets
        #expect(try server.ask(TestQuery("NoThInG.sErViCe.KoNg")).octets[12..<octets.count] == octets[12...])
    }

    @Test func `every TTL is at least 1`() throws {
        let server = try makeServer()
        for name in ["web", "", "ns", "nothing", "0a000001.addr"] {
            for type: RecordType in [.a, .aaaa, .srv, .soa, .ns, .any] {
                let reply = try server.ask(name, type)
                #expect((reply.answers + reply.authority + reply.additional).allSatisfy { $0.ttl >= 1 })
            }
        }
    }
}
