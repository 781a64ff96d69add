import Testing

@testable import Engine

/// What a zone's names, types and classes mean, section by section of the RFCs. Other tests of the same RFCs are where
/// what they test is: `AnswerTests`, `EDNSAnswerTests`, `TruncationTests`, `EngineTCPTests`.
struct ZoneContentTests {
    private func makeServer() throws -> TestServer {
        try TestServer([
            "web": .records([.a(2), .srv([.ten(1)])]), "v1.web": .records([.a(1)]),
            "_web._tcp": .records([.srv([.ten(1)])]),
        ])
    }

    private func question(_ name: String, _ type: RecordType, _ recordClass: UInt16) -> TestQuery {
        var query = TestQuery(name, type)
        query.recordClass = recordClass
        return query
    }

    @Test func `RFC 1035 §3.3.11 the addresses of the name server are in ADDITIONAL`() throws {
        for query in [TestQuery("service.kong", .ns), TestQuery("SERVICE.kong", .ns).offering(payload: 512)] {
            for overTCP in [false, true] {
                let reply = try makeServer().ask(query, overTCP: overTCP)
                let name = try wireName("ns.service.kong")
                #expect(reply.answers.map(\.data) == [name])
                #expect(reply.additional.allSatisfy { $0.owner == name && $0.ttl == 60 })
                #expect(
                    reply.additional.compactMap { IPAddress(octets: $0.data) } == [.v4(0x7F00_0001), .v6(0, 1)])
            }
        }
    }

    @Test func `RFC 2181 §9 those addresses are left out if there is no room, and TC is not set`() throws {
        var configuration = EngineConfiguration.test()
        configuration.zone.nameServerAddresses = (0..<40).map { IPAddress.ten($0) }
        let server = try TestServer(configuration)
        let reply = try server.ask("", .ns)
        #expect(reply.answers.count == 1 && reply.additional.isEmpty && !reply.isTruncated)
        #expect(try server.ask("", .ns, overTCP: true).additional.count == 40)
    }

    @Test func `RFC 1035 §6.2 an answer for all classes is not authoritative`() throws {
        let server = try makeServer()
        for (name, type) in [("web", .a), ("web", .txt), ("none", .a), ("", .soa), ("0a000001.addr", .a)]
            as [(String, RecordType)]
        {
            let full = name.isEmpty ? TestServer.origin : "\(name).\(TestServer.origin)"
            let plain = try server.ask(question(full, type, 1))
            let reply = try server.ask(question(full, type, 255))
            #expect(plain.isAuthoritative && !reply.isAuthoritative)
            #expect(reply.outcome == plain.outcome && reply.authority == plain.authority)
            #expect(Set(reply.answers) == Set(plain.answers))
            #expect(reply.questions.map(\.recordClass) == [255])
        }
        #expect(try server.ask(question("example.com", .a, 255)).outcome == .refused)
    }

    @Test func `RFC 6895 §3.1 a meta type without a meaning here is a type without records`() throws {
        // OPT, TKEY, TSIG, MAILB, MAILA.
        for type in [41, 249, 250, 253, 254] as [UInt16] {
            #expect(try makeServer().ask("web", RecordType(rawValue: type)).outcome == .noData)
            #expect(try makeServer().ask("none", RecordType(rawValue: type)).outcome == .nameError)
        }
    }

    @Test func `RFC 3597 unknown types and classes are no errors`() throws {
        // Type 0 and class 0, which ldns does not write.
        for (offset, outcome) in [31: .noData, 33: .refused] as [Int: TestReply.Outcome] {
            let octets = try TestQuery("web.service.kong").octets(replacing: [offset: 0])
            #expect(try TestReply(try #require(try makeServer().reply(to: octets))).outcome == outcome)
        }
        for type in [731, 65280, 65535] as [UInt16] {
            #expect(try makeServer().ask("web", RecordType(rawValue: type)).outcome == .noData)
            #expect(try makeServer().ask("none", RecordType(rawValue: type)).outcome == .nameError)
            let foreign = question("web.service.kong", RecordType(rawValue: type), 32)
            #expect(try makeServer().ask(foreign).outcome == .refused)
        }
    }

    @Test func `RFC 2782 the target of an SRV record has addresses, and what is missing has no record`() throws {
        let server = try makeServer()
        let reply = try server.ask("_WEB._Tcp", .srv)
        let target = try wireName("0a000001.addr.service.kong")
        #expect(reply.outcome == .records && reply.answers.count == 1)
        let data = try #require(reply.answers.first?.data)
        #expect(data.count == 6 + target.count && data[6...] == target[...])
        // The address is in ADDITIONAL, and an answer of its own.
        #expect(reply.additional.map(\.type) == [1] && reply.additional.first?.owner == target)
        #expect(try server.ask("0a000001.addr", .a).answers.map(\.type) == [1])
        // A name with underscores has no addresses: it is NODATA for them.
        #expect(try server.ask("_web._tcp", .a).outcome == .noData)
        // A protocol, or a service, that is not there has no record, not one with the target ".".
        for name in ["_web._udp", "_none._tcp"] { #expect(try server.ask(name, .srv).outcome == .nameError) }
    }

    @Test func `RFC 3597 §4 and RFC 2782 targets are not compressed`() throws {
        let server = try TestServer(["web": .records([.srv([.ten(1), .ten(2)])])])
        let octets = try server.ask("web", .srv).octets
        for target in try [wireName("0a000001.addr.service.kong"), wireName("0a000002.addr.service.kong")] {
            #expect(octets.indices.contains { octets[$0...].starts(with: target) })
        }
    }

    @Test func `RFC 4343 §3 only ASCII letters have a case`() throws {
        // [ and {, @ and `, and É and é in ISO 8859-1 differ by the same bit as letters do.
        let octets: [UInt8] = [0x5B, 0x40, 0xC9]
        for octet in octets {
            let label: [UInt8] = [3, UInt8(ascii: "w"), octet, UInt8(ascii: "b")]
            let other: [UInt8] = [3, UInt8(ascii: "w"), octet ^ 0x20, UInt8(ascii: "b")]
            let isSame = label.rawSpan.isName(other.rawSpan)
            #expect(!isSame)
        }
        #expect(try makeServer().ask("WEB", .a).addresses.count == 2)
    }

    @Test func `RFC 4343 §4.1 the question keeps its case, and a dot inside a label separates nothing`() throws {
        let server = try makeServer()
        let label: [UInt8] = [6] + "v1.WeB".utf8
        let octets = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + label + (try wireName("service.kong")) + [0, 1, 0, 1]
        let reply = try TestReply(try #require(server.reply(to: octets)))
        #expect(reply.outcome == .nameError && reply.octets[12..<octets.count] == octets[12...])
    }

    @Test func `RFC 4592 §2.1.1 an asterisk is a label like any other, and stands for nothing`() throws {
        let server = try makeServer()
        for name in ["*", "*.web", "web.*", "*._tcp", "*.addr", "_*._tcp"] {
            #expect(try server.ask(name, .a).outcome == .nameError, "\(name)")
        }
    }

    @Test func `RFC 8020 §2 nothing exists below a name that does not exist`() throws {
        let server = try makeServer()
        for name in ["none", "x.none", "x.y.none", "x.web", "x.v1.web", "x.0a000001.addr", "x._web._tcp"] {
            #expect(try server.ask(name, .a).outcome == .nameError, "\(name)")
        }
        // RFC 4592 §2.2.2: an empty non-terminal exists.
        #expect(try server.ask("_tcp", .a).outcome == .noData)
    }

    @Test func `RFC 4035 §3.1.4.1 DS at the apex is NODATA of this zone, for its parent is elsewhere`() throws {
        let reply = try makeServer().ask("", RecordType(rawValue: 43))
        #expect(reply.outcome == .noData && reply.isAuthoritative && reply.authority.map(\.type) == [6])
    }

    @Test func `RFC 7830 §6 over plain transports a query with padding gets none`() throws {
        let option: [UInt8] = [0, 12, 0, 8] + [UInt8](repeating: 0, count: 8)
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, UInt8(option.count)] + option
        let octets = try TestQuery("web.service.kong").octets(replacing: [11: 1], appending: opt)
        for overTCP in [false, true] {
            let reply = try TestReply(try #require(makeServer().reply(to: octets, overTCP: overTCP)))
            #expect(reply.addresses.count == 2 && reply.octets.suffix(2) == [0, 0])
        }
    }
}
