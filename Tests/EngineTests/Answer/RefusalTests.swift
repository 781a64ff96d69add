import Testing

@testable import Engine

/// Queries that are not answered from the zone: errors, refusals and silence.
struct RefusalTests {
    private func makeServer(version: String = "") throws -> TestServer {
        try TestServer(["web": .records([.a(2)])], .test(version: version))
    }

    private func question(_ name: String, _ type: RecordType, _ recordClass: UInt16) -> TestQuery {
        var query = TestQuery(name, type)
        query.recordClass = recordClass
        return query
    }

    /// An error contains the question and nothing else.
    private func expectBare(_ reply: TestReply, _ outcome: TestReply.Outcome, questions: Int = 1) {
        #expect(reply.outcome == outcome)
        #expect(reply.isResponse && !reply.isAuthoritative && !reply.isTruncated && !reply.recursionAvailable)
        #expect(reply.answers.isEmpty && reply.authority.isEmpty && reply.additional.isEmpty)
        #expect(reply.questions.count == questions)
    }

    @Test(arguments: ["example.com", ".", "kong", "xservice.kong", "web.service.kong.example"])
    func `names outside the zone are REFUSED`(_ name: String) throws {
        let query = TestQuery(name)
        let reply = try makeServer().ask(query)
        expectBare(reply, .refused)
        #expect(reply.octets[12...] == (try query.octets)[12...])
    }

    @Test func `a name that holds the origin inside a label is REFUSED`() throws {
        let octets: [UInt8] =
            [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 13, 7] + "service".utf8 + [4] + "kong".utf8 + [0, 0, 1, 0, 1]
        let reply = try #require(try makeServer().reply(to: octets))
        expectBare(try TestReply(reply), .refused)
    }

    // CD: RFC 4035 §3.1.6.
    @Test func `flags: RD is copied (RFC 1035 §4.1.1), CD, RA and AD are 0, the ID is repeated`() throws {
        let server = try makeServer()
        for name in ["web.service.kong", "nothing.service.kong", "example.com"] {
            for recursionDesired in [false, true] {
                for checkingDisabled in [false, true] {
                    var query = TestQuery(name)
                    query.id = UInt16.random(in: 0...UInt16.max)
                    query.recursionDesired = recursionDesired
                    query.checkingDisabled = checkingDisabled
                    let reply = try server.ask(query)
                    #expect(reply.id == query.id)
                    #expect(reply.recursionDesired == recursionDesired)
                    #expect(!reply.checkingDisabled)
                    #expect(!reply.recursionAvailable && !reply.authenticData)
                    #expect(reply.isAuthoritative == (name != "example.com"))
                }
            }
        }
        // CD, AD and Z of the query are not copied.
        let octets = try #require(server.reply(to: try TestQuery("web.service.kong").octets(replacing: [3: 0xF0])))
        #expect(octets[3] == 0)
    }

    @Test func `RA tells a client that it may have names outside, whatever it asks`() throws {
        func makeServer(servers: [String], allow: [IPNetwork]) throws -> TestServer {
            var configuration = EngineConfiguration.test(version: "1")
            configuration.forwarding.upstreams.servers = servers.compactMap { SocketAddress($0) }
            configuration.forwarding.upstreams.allow = allow
            let server = try TestServer(configuration)
            try server.publish([
                "web": .records([.a(2), .srv([.ten(1)])]), "big": .records([.a(60)]), "broken": .failure,
            ])
            return server
        }
        let loopback = IPNetwork(.v4(0x7F00_0000), prefixLength: 8)
        let other = IPNetwork(.v4(0x0A00_0000), prefixLength: 8)
        var queries: [TestQuery] = []
        for name in ["web", "big", "nothing", "broken", "0a000001.addr", "x.addr"] {
            for type: RecordType in [.a, .srv, .txt, .any] {
                queries.append(TestQuery("\(name).service.kong", type))
                queries.append(TestQuery("\(name).service.kong", type).offering(payload: 1232))
            }
        }
        queries += [
            TestQuery("service.kong", .axfr), TestQuery("web.service.kong", .opt), question("version.bind", .txt, 3),
            question("web.service.kong", .a, 4), TestQuery("localhost"), TestQuery("x.invalid"),
            TestQuery("web.service.kong").offering(payload: 1232, version: 1),
        ]
        for isOn in [true, false] {
            for isAllowed in [true, false] {
                let server = try makeServer(
                    servers: isOn ? ["192.0.2.1:53"] : [], allow: isAllowed ? [other, loopback] : [other])
                for query in queries {
                    for recursionDesired in [true, false] {
                        var query = query
                        query.recursionDesired = recursionDesired
                        #expect(try server.ask(query).recursionAvailable == (isOn && isAllowed), "\(query)")
                    }
                }
                var update = TestQuery("web.service.kong")
                update.opcode = 5
                #expect(try !server.ask(update).recursionAvailable)
            }
        }
    }

    @Test func `zone transfers are REFUSED, IXFR with its SOA too (RFC 1995 §3)`() throws {
        let server = try makeServer()
        for type: RecordType in [.axfr, .ixfr] {
            for overTCP in [false, true] { expectBare(try server.ask("", type, overTCP: overTCP), .refused) }
        }
        let soa =
            try wireName("service.kong") + [0, 6, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0] + [UInt8](repeating: 0, count: 20)
        let ixfr = try TestQuery("service.kong", .ixfr).octets(replacing: [9: 1], appending: soa)
        expectBare(try TestReply(try #require(server.reply(to: ixfr))), .refused)
    }

    @Test func `a zone transfer of what is no zone here is NOTAUTH (RFC 5936 §2.2.1)`() throws {
        let server = try makeServer()
        for name in ["web.service.kong", "x.service.kong", "kong", "example.com", "localhost", "."] {
            for type: RecordType in [.axfr, .ixfr] {
                let reply = try server.ask(TestQuery(name, type))
                expectBare(reply, .other)
                #expect(reply.responseCode == 9)
            }
        }
    }

    @Test func `other classes are REFUSED`() throws {
        for recordClass: UInt16 in [2, 3, 4, 254, 256] {
            expectBare(try makeServer().ask(question("web.service.kong", .a, recordClass)), .refused)
        }
    }

    @Test func `the version is told in class CH when it is configured`() throws {
        let server = try makeServer(version: "kong-discovery 1.0")
        for name in ["version.bind", "VERSION.Server"] {
            let reply = try server.ask(question(name, .txt, 3))
            #expect(reply.answers.map(\.data) == [[18] + "kong-discovery 1.0".utf8])
            #expect(reply.answers.map(\.recordClass) == [3])
            #expect(reply.answers.allSatisfy { $0.ttl >= 1 })
        }
        expectBare(try server.ask(question("version.bind", .a, 3)), .refused)
        expectBare(try server.ask(question("hostname.bind", .txt, 3)), .refused)
        expectBare(try server.ask(question("version.bind", .txt, 1)), .refused)
        expectBare(try makeServer().ask(question("version.bind", .txt, 3)), .refused)
    }

    @Test func `a version text of up to 255 octets is told whole`() throws {
        let text = String(repeating: "v", count: 255)
        let reply = try makeServer(version: text).ask(question("version.bind", .txt, 3))
        #expect(reply.answers.map(\.data) == [[255] + text.utf8])
        #expect(throws: EngineError.self) { try makeServer(version: text + "v") }
    }

    @Test func `an opcode other than QUERY is NOTIMP, and repeated`() throws {
        for opcode: UInt8 in 1...15 {
            var query = TestQuery("web.service.kong")
            query.opcode = opcode
            query.checkingDisabled = true
            let reply = try makeServer().ask(query)
            #expect(!reply.recursionDesired && !reply.checkingDisabled)
            expectBare(reply, .notImplemented)
            #expect(reply.opcode == opcode)
            // This holds whatever its sections contain.
            let odd = try query.octets(replacing: [5: 0, 7: 9])
            expectBare(try TestReply(try #require(try makeServer().reply(to: odd))), .notImplemented, questions: 0)
        }
    }

    @Test func `a number of questions other than 1 is FORMERR`() throws {
        let query = TestQuery("web.service.kong")
        let second = try query.octets.dropFirst(12)
        for octets in [
            try query.octets(replacing: [5: 0]), [UInt8](try query.octets(replacing: [5: 0]).prefix(12)),
            try query.octets(replacing: [5: 2], appending: [UInt8](second)), try query.octets(replacing: [4: 1]),
        ] {
            let reply = try TestReply(try #require(try makeServer().reply(to: octets)))
            expectBare(reply, .formatError, questions: 0)
            #expect(reply.id == query.id)
        }
    }

    @Test func `what can't be read is FORMERR, with the question where that can be read`() throws {
        let query = TestQuery("web.service.kong")
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        let readable = [
            "trailing octets": try query.octets(replacing: [:], appending: [0]),
            "two OPT records": try query.octets(replacing: [11: 2], appending: opt + opt),
            "an OPT record with a name": try query.octets(replacing: [11: 1], appending: [1, 97] + opt),
            "an OPT record that is cut off": try query.octets(replacing: [11: 1], appending: [UInt8](opt.dropLast())),
            "a missing record": try query.octets(replacing: [11: 1]),
            "a record in ANSWER": try query.octets(replacing: [7: 1], appending: [0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0]),
            "a record in AUTHORITY": try query.octets(replacing: [9: 1], appending: [0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0]),
        ]
        for (what, octets) in readable {
            let reply = try TestReply(try #require(try makeServer().reply(to: octets), "\(what)"))
            expectBare(reply, .formatError)
            let questionEnd = try query.octets.count
            #expect(reply.octets[12...] == octets[12..<questionEnd], "\(what)")
        }
        let whole = try query.octets
        let unreadable =
            (12..<whole.count).map { [UInt8](whole.prefix($0)) }
            + [
                [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xC0, 12, 0, 1, 0, 1],
                [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0xC0, 12, 0, 1, 0, 1],
                [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 64] + [UInt8](repeating: 97, count: 64) + [0, 0, 1, 0, 1],
            ]
        for octets in unreadable {
            let reply = try TestReply(try #require(try makeServer().reply(to: octets)))
            expectBare(reply, .formatError, questions: 0)
            #expect(reply.octets[0...1] == octets[0...1])
        }
    }

    @Test func `without a header, and for a response, there is silence`() throws {
        let server = try makeServer()
        let query = try TestQuery("web.service.kong").octets
        for count in 0..<12 { #expect(server.reply(to: [UInt8](query.prefix(count))) == nil) }
        for flags: UInt8 in [0x80, 0x81, 0xA8, 0xFF] {
            var response = query
            response[2] = flags
            #expect(server.reply(to: response) == nil)
            #expect(server.reply(to: response, overTCP: true) == nil)
        }
    }
}
