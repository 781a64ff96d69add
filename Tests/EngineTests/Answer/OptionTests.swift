import Testing

@testable import Engine

/// Options of EDNS that are answered: cookies, the identifier, keepalive.
struct OptionTests {
    private static let client: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]

    private func makeServer(
        identifier: String = "", usesCookies: Bool = true, rate: Int? = nil
    ) throws -> TestServer {
        var configuration = EngineConfiguration.test(version: "1")
        configuration.identifier = identifier
        configuration.defence = DefenceConfiguration(
            rateLimit: rate.map { ResponseRateLimitSettings(responsesPerSecond: $0, slip: 0) }, usesCookies: usesCookies
        )
        return try TestServer(
            ["web": .records([.a(3)]), "many": .records([.a(70)]), "broken": .failure], configuration)
    }

    /// A query with options.
    private func octets(
        _ options: [(UInt16, [UInt8])], of query: TestQuery = web, payload: UInt16 = 1232, version: UInt8 = 0
    ) throws -> [UInt8] {
        var octets = try query.offering(payload: payload, version: version).octets
        let data = options.flatMap { code, data in
            [UInt8(code >> 8), UInt8(code & 255), UInt8(data.count >> 8), UInt8(data.count & 255)] + data
        }
        octets.replace(at: octets.count - 2, bigEndian: UInt16(data.count))
        return octets + data
    }

    /// The options of a reply, whose OPT record is the last one and the only one with this start.
    private func options(_ reply: [UInt8]) throws -> [UInt16: [UInt8]] {
        var found: Int?
        for offset in 12..<(reply.count - 10) where reply[offset..<(offset + 3)] == [0, 0, 41] {
            let length = Int(reply[offset + 9]) << 8 + Int(reply[offset + 10])
            if offset + 11 + length == reply.count { found = offset }
        }
        let start = try #require(found)
        var rest = reply[(start + 11)...]
        var options: [UInt16: [UInt8]] = [:]
        while rest.count >= 4 {
            let head = [UInt8](rest.prefix(4))
            let length = Int(head[2]) << 8 | Int(head[3])
            options[UInt16(head[0]) << 8 | UInt16(head[1])] = [UInt8](rest.dropFirst(4).prefix(length))
            rest = rest.dropFirst(4 + length)
        }
        #expect(rest.isEmpty)
        return options
    }

    private func ask(
        _ server: TestServer, _ asked: [(UInt16, [UInt8])], of query: TestQuery = web, payload: UInt16 = 1232,
        overTCP: Bool = false
    ) throws -> (reply: TestReply, options: [UInt16: [UInt8]]) {
        let reply = try #require(server.reply(to: octets(asked, of: query, payload: payload), overTCP: overTCP))
        return (try TestReply(reply), try options(reply))
    }

    // MARK: Cookies

    @Test func `a client gets its cookie back with a server cookie, in replies of all kinds`() throws {
        let server = try makeServer()
        let names = ["web", "none", "broken"].map { TestQuery("\($0).service.kong") }
        for query in names + [TestQuery("web.service.kong", .txt), TestQuery("else.example"), TestQuery("a.", .axfr)] {
            for overTCP in [false, true] {
                let (reply, options) = try ask(server, [(10, Self.client)], of: query, overTCP: overTCP)
                let cookie = try #require(options[10])
                #expect(cookie.count == 24 && cookie.prefix(8) == Self.client[...] && cookie[8] == 1)
                #expect(reply.additional.isEmpty || reply.edns != nil)
                // It is valid, so the same one comes back.
                #expect(try ask(server, [(10, cookie)], of: query, overTCP: overTCP).options[10] == cookie)
            }
        }
    }

    @Test func `who sends none gets none`() throws {
        let server = try makeServer()
        #expect(try ask(server, []).options.isEmpty)
        #expect(try server.ask(web).edns == nil)
        let (reply, options) = try ask(try makeServer(usesCookies: false), [(10, Self.client)])
        #expect(options.isEmpty && reply.addresses.count == 3)
        // Without cookies, a malformed one is an option like any other.
        #expect(try ask(try makeServer(usesCookies: false), [(10, [1])]).reply.addresses.count == 3)
    }

    @Test(arguments: [0, 1, 7, 9, 15, 41, 100])
    func `RFC 7873 §5.2.2: a cookie of an impossible length is FORMERR`(count: Int) throws {
        let (reply, options) = try ask(
            try makeServer(), [(10, [UInt8](repeating: 7, count: count)), (10, Self.client)])
        #expect(reply.responseCode == 1 && options.isEmpty && reply.edns != nil)
    }

    @Test(arguments: [16, 23, 24, 25, 40])
    func `another server's cookie is answered with ours`(count: Int) throws {
        let sent = Self.client + [UInt8](repeating: 1, count: count - 8)
        let (reply, options) = try ask(try makeServer(), [(10, sent), (10, [1])])
        #expect(reply.addresses.count == 3)
        #expect(options[10]?.prefix(8) == Self.client[...] && options[10] != sent)
    }

    @Test func `RFC 7873 §5.4: a query without a question gets a cookie`() throws {
        let server = try makeServer()
        let header: [UInt8] = [9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        let option: [UInt8] = [0, 10, 0, 8] + Self.client
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, UInt8(option.count)] + option
        let reply = try #require(server.reply(to: header + opt))
        #expect(try TestReply(reply).responseCode == 0)
        #expect(try options(reply)[10]?.count == 24)
        #expect(try TestReply(#require(server.reply(to: header.dropLast() + [0]))).responseCode == 1)
        let without = try #require(try makeServer(usesCookies: false).reply(to: header + opt))
        #expect(try TestReply(without).responseCode == 1)
    }

    @Test func `an unknown version of EDNS gets no cookie`() throws {
        let reply = try #require(try makeServer().reply(to: octets([(10, Self.client)], version: 1)))
        #expect(try TestReply(reply).responseCode == 16)
        #expect(try options(reply).isEmpty)
    }

    @Test func `a reply with a cookie is no longer than it may be`() throws {
        let server = try makeServer(identifier: String(repeating: "n", count: 255))
        for payload: UInt16 in [512, 600, 700, 1000, 1232] {
            for name in ["many", "web", "none", "broken"] {
                let asked: [(UInt16, [UInt8])] = [(10, Self.client), (3, [])]
                let (reply, options) = try ask(
                    server, asked, of: TestQuery("\(name).service.kong"), payload: payload)
                #expect(reply.octets.count <= payload && options[10]?.count == 24)
                #expect((options[3]?.count == 255) == (payload >= 744))
                #expect(name != "many" || reply.isTruncated)
            }
        }
    }

    @Test func `who has a cookie is above the rate limit`() throws {
        let server = try makeServer(rate: 1)
        let cookie = try #require(try ask(server, [(10, Self.client)]).options[10])
        var wrong = cookie
        wrong[20] ^= 1
        let without = try octets([(10, Self.client)])
        let invalid = try octets([(10, wrong)])
        let valid = try octets([(10, cookie)])
        var limited = 0
        for _ in 0..<20 {
            if server.reply(to: without) == nil { limited += 1 }
            if server.reply(to: invalid) == nil { limited += 1 }
            #expect(try TestReply(#require(server.reply(to: valid))).addresses.count == 3)
        }
        #expect(limited > 30)
    }

    // MARK: NSID

    @Test func `RFC 5001: who asks gets the identifier`() throws {
        let server = try makeServer(identifier: "dns-1")
        for overTCP in [false, true] {
            #expect(try ask(server, [(3, [])], overTCP: overTCP).options == [3: [UInt8]("dns-1".utf8)])
        }
        #expect(try ask(server, []).options.isEmpty)
        #expect(try ask(try makeServer(), [(3, [])]).options.isEmpty)
        let (reply, both) = try ask(server, [(3, []), (10, Self.client)], of: TestQuery("broken.service.kong"))
        #expect(reply.responseCode == 2)
        #expect(both.keys.sorted() == [3, 10, 15])
        var configuration = EngineConfiguration.test()
        configuration.identifier = String(repeating: "n", count: 256)
        #expect(throws: EngineError.self) { _ = try TestServer(configuration) }
    }

    @Test func `RFC 4892: the identifier answers id.server and hostname.bind, the version version.bind`() throws {
        func text(_ server: TestServer, _ name: String) throws -> [UInt8]? {
            var query = TestQuery(name, .txt)
            query.recordClass = 3
            let reply = try server.ask(query)
            #expect(reply.responseCode == (reply.answers.isEmpty ? 5 : 0))
            return reply.answers.first?.data
        }
        let server = try makeServer(identifier: "dns-1")
        for name in ["id.server", "hostname.bind", "ID.Server"] {
            #expect(try text(server, name) == [5] + [UInt8]("dns-1".utf8))
            #expect(try text(try makeServer(), name) == nil)
        }
        for name in ["version.bind", "version.server"] { #expect(try text(server, name) == [1, 0x31]) }
        #expect(try text(try TestServer(), "version.bind") == nil)
    }

    // MARK: Keepalive

    @Test func `RFC 7828: the idle time is told over TCP alone, to those who ask`() throws {
        var configuration = EngineConfiguration.test()
        configuration.tcp.idleTimeout = .milliseconds(2500)
        let server = try TestServer(["web": .records([.a(3)])], configuration)
        #expect(try ask(server, [(11, [])], overTCP: true).options == [11: [0, 25]])
        #expect(try ask(server, [], overTCP: true).options.isEmpty)
        #expect(try ask(server, [(11, [])]).options.isEmpty)
        configuration.tcp.idleTimeout = .seconds(10_000)
        #expect(try ask(try TestServer(configuration), [(11, [])], overTCP: true).options == [11: [255, 255]])
    }
}
