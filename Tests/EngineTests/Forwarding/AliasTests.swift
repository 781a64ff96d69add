import Testing

@testable import Engine

/// Aliases from upstreams that lead into the zone, or that are left open, over real sockets.
struct AliasTests {
    private static let home = TestQuery("home.example.com")

    private static func alias(_ target: String, ttl: UInt32 = 300) -> [UInt8] {
        record(5, ttl: ttl, (try? wireName(target)) ?? [0])
    }

    /// An upstream that knows an alias. It may say NXDOMAIN with it, or lie about the name that the alias leads to.
    private func upstream(
        _ target: String, code: UInt8 = 0, lies: [[UInt8]] = [], ttl: UInt32 = 300
    ) throws -> ScriptedUpstream {
        let alias = Self.alias(target, ttl: ttl)
        return try ScriptedUpstream { .messages([$0.reply(code: code, answers: [alias] + lies)]) }
    }

    @Test(arguments: [UInt8(0), 3], [false, true])
    func `an alias of one of our names has its current records, and their rotation`(code: UInt8, overTCP: Bool) throws {
        let target = try wireName("web.service.kong")
        let lie = record(1, owner: target, [6, 6, 6, 6])
        let upstream = try upstream("web.service.kong", code: code, lies: code == 0 ? [lie] : [])
        let server = try TestEngine(upstreams: [upstream.address])
        func ask(_ query: TestQuery = Self.home) throws -> TestReply {
            overTCP ? try TestSocket.tcp(server.address).askFramed(query) : try server.ask(query)
        }
        var firsts: [IPAddress?] = []
        for _ in 0..<6 {
            let reply = try ask()
            #expect(reply.responseCode == 0 && !reply.isAuthoritative && reply.recursionAvailable)
            #expect(reply.answers.map(\.type) == [5, 1, 1, 1] && reply.authority.isEmpty && reply.edns == nil)
            #expect(
                reply.answers.first?.owner == (try wireName("home.example.com")) && reply.answers.first?.data == target)
            #expect(reply.answers.dropFirst().allSatisfy { $0.owner == target })
            // All records have one TTL: the lowest, which is the zone's.
            #expect(Set(reply.answers.map(\.ttl)) == [5])
            #expect(Set(reply.addresses) == Set((0..<3).map { IPAddress.ten($0) }))
            firsts.append(reply.addresses.first)
        }
        for number in 0..<3 { #expect(firsts.count { $0 == .ten(number) } == 2) }
        // A change of the zone is seen at once, while the alias comes from the cache.
        try server.publish(["web": .records([.a(1)])])
        #expect(try ask().addresses == [.ten(0)])
        try server.publish(["web": .absent])
        let none = try ask()
        #expect(none.outcome == .nameError && none.answers.map(\.type) == [5] && none.authority.map(\.type) == [6])
        #expect(none.authority.first?.owner == (try wireName("service.kong")))
        #expect(Set((none.answers + none.authority).map(\.ttl)) == [3])
        try server.publish(["web": .failure])
        let failure = try ask(Self.home.offering(payload: 1232))
        #expect(failure.outcome == .serverFailure && failure.answers.isEmpty && failure.edns != nil)
        #expect(upstream.requests.count == 1)
    }

    @Test func `everything that is answered here for a name is answered for its aliases`() throws {
        var names: [String: NameContent] = [:]
        names["srv"] = .records([.srv((0..<3).map { .ten($0) }), .a(1), .aaaa(2)])
        let cases: [(String, RecordType, TestReply.Outcome, answers: [UInt16], authority: [UInt16], additional: Int)] =
            [
                ("srv.service.kong", .srv, .records, [5, 33, 33, 33], [], 3),
                ("srv.service.kong", .aaaa, .records, [5, 28, 28], [], 0),
                ("srv.service.kong", .txt, .noData, [5], [6], 0),
                ("nosuch.service.kong", .a, .nameError, [5], [6], 0),
                ("a.b.c.nosuch.service.kong", .a, .nameError, [5], [6], 0),
                ("0a000001.addr.service.kong", .a, .records, [5, 1], [], 0),
                ("addr.service.kong", .a, .noData, [5], [6], 0),
                // Loopback addresses have names for clients on loopback, but aliases don't lead to them.
                ("7f000001.addr.service.kong", .a, .nameError, [5], [6], 0),
                ("service.kong", .ns, .records, [5, 2], [], 2), ("service.kong", .soa, .records, [5, 6], [], 0),
                ("service.kong", .a, .noData, [5], [6], 0),
                ("localhost", .a, .records, [5, 1], [], 0), ("a.localhost", .aaaa, .records, [5, 28], [], 0),
                ("a.localhost", .txt, .noData, [5], [6], 0), ("a.b.invalid", .a, .nameError, [5], [6], 0),
                ("_dns.resolver.arpa", .a, .noData, [5], [6], 0),
            ]
        for (target, type, outcome, answers, authority, additional) in cases {
            let upstream = try upstream(target)
            let server = try TestEngine(upstreams: [upstream.address])
            try server.publish(names)
            for query in [
                TestQuery("home.example.com", type), TestQuery("HOME.example.com", type).offering(payload: 1232),
            ] {
                let reply = try server.ask(query)
                let own = try server.ask(TestQuery(target, type))
                let isEmpty = reply.answers.count == 1
                #expect(isEmpty == (outcome != .records) && reply.responseCode == (outcome == .nameError ? 3 : 0))
                #expect(reply.answers.map(\.type) == answers && reply.authority.map(\.type) == authority, "\(target)")
                #expect(reply.additional.count == additional, "\(target)")
                #expect((reply.edns != nil) == (query.edns != nil))
                guard target != "7f000001.addr.service.kong" else { continue }
                func told(_ records: [LdnsRecord]) -> Set<[UInt8]> { Set(records.map { $0.owner + $0.data }) }
                #expect(told(Array(reply.answers.dropFirst())) == told(own.answers), "\(target)")
                #expect(told(reply.authority) == told(own.authority), "\(target)")
                #expect(told(reply.additional) == told(own.additional), "\(target)")
            }
        }
    }

    @Test func `what does not fit is truncated over UDP, and whole over TCP`() throws {
        let upstream = try upstream("big.service.kong")
        let server = try TestEngine(upstreams: [upstream.address])
        let short = try server.ask(Self.home)
        #expect(short.isTruncated && short.octets.count <= 512 && short.answers.first?.type == 5)
        let long = try TestSocket.tcp(server.address).askFramed(Self.home)
        #expect(!long.isTruncated && Set(long.addresses).count == 4000)
        // Addresses of targets that no pointer reaches are left out.
        try server.publish(["many": .records([.srv((0..<1200).map { .ten($0) })])])
        upstream.change { request in .messages([request.reply(answers: [Self.alias("many.service.kong")])]) }
        for query in [TestQuery("many.example.com", .srv), TestQuery("many.example.com", .srv).offering(payload: 512)] {
            let reply = try TestSocket.tcp(server.address).askFramed(query)
            #expect(reply.services.count == 1200 && !reply.isTruncated && (reply.edns != nil) == (query.edns != nil))
            let targets = Set(reply.services.map(\.target))
            #expect(reply.additional.count > 100 && reply.additional.allSatisfy { targets.contains($0.owner) })
        }
        // These aliases are so long that no record of ours has room behind them.
        let far = (0..<15).map { String(repeating: "x", count: 60) + "\($0).example.com" }
        let names = ["far.example.com"] + far + ["web.service.kong"]
        let links = try zip(names, names.dropFirst()).map { record(5, owner: try wireName($0), try wireName($1)) }
        upstream.change { request in .messages([request.reply(answers: links)]) }
        let query = TestQuery("far.example.com")
        #expect(try server.ask(query).isTruncated)
        #expect(try TestSocket.tcp(server.address).askFramed(query).addresses.count == 3)
    }

    @Test func `an alias that has expired leads to what the zone has now, while upstreams are away`() throws {
        let upstream = try upstream("web.service.kong", ttl: 1)
        let server = try TestEngine(upstreams: [upstream.address], timeout: .milliseconds(100))
        #expect(try server.ask(Self.home).answers.map(\.ttl) == [1, 1, 1, 1])
        upstream.change { _ in .messages([]) }
        try server.publish(["web": .records([.a(2)])])
        try server.waitForStatistics { _ in (try? server.ask(Self.home).answers.map(\.ttl)) == [5, 5, 5] }
    }

    // MARK: Left open

    /// An upstream for which each name is an alias of the next. It never says more than one alias in an answer.
    private func openUpstream(_ count: Int, last: @escaping @Sendable (UpstreamRequest) -> [UInt8]) throws
        -> ScriptedUpstream
    {
        try ScriptedUpstream { request in
            let number = Int(request.letter) - 97
            guard !request.isProbe, number < count else { return .messages([last(request)]) }
            let next: [UInt8] = [1, UInt8(98 + number)] + request.name.dropFirst(2)
            return .messages([request.reply(answers: [record(5, ttl: 20, next)])])
        }
    }

    @Test func `aliases that an upstream leaves open are asked for further, once`() throws {
        let upstream = try openUpstream(3) { request in
            request.reply(answers: [record(1, [192, 0, 2, 1]), record(1, [192, 0, 2, 2])])
        }
        let server = try TestEngine(upstreams: [upstream.address])
        for _ in 0..<3 {
            let reply = try server.ask(TestQuery("a.example.com"))
            #expect(reply.answers.map(\.type) == [5, 5, 5, 1, 1] && Set(reply.answers.map(\.ttl)).count == 1)
            #expect(
                reply.answers.map(\.lowerCaseOwner)
                    == ["a", "b", "c", "d", "d"].map { [1] + Array($0.utf8) }.map {
                        $0 + ((try? wireName("example.com")) ?? [])
                    })
            #expect((19...20).contains(reply.answers.first?.ttl ?? 0))
        }
        #expect(upstream.distinctRequests.count == 4)
        #expect(server.engine.statistics()[.inFlight] == 0)
    }

    @Test func `if the last name or its records don't exist, that is passed on`() throws {
        let nowhere = try openUpstream(1) { $0.nameError(minimum: 9) }
        let server = try TestEngine(upstreams: [nowhere.address])
        for _ in 0..<2 {
            let reply = try server.ask(TestQuery("a.example.com"))
            #expect(reply.responseCode == 3 && reply.answers.map(\.type) == [5] && reply.authority.map(\.type) == [6])
        }
        #expect(nowhere.distinctRequests.count == 2)
        // There is no record, and no SOA says for how long: the answer is passed on, and not kept.
        nowhere.change { request in
            .messages([request.letter == 97 ? request.reply(answers: [Self.alias("b.example.net")]) : request.reply()])
        }
        let reply = try server.ask(TestQuery("a.example.net"))
        #expect(reply.responseCode == 0 && reply.answers.map(\.type) == [5] && reply.answers.map(\.ttl) == [1])
    }

    @Test func `aliases that lead into the zone after some steps end there`() throws {
        let upstream = try openUpstream(2) { $0.reply(code: 3, answers: [Self.alias("web.service.kong")]) }
        let server = try TestEngine(upstreams: [upstream.address])
        for _ in 0..<3 {
            let reply = try server.ask(TestQuery("a.example.com"))
            #expect(reply.answers.map(\.type) == [5, 5, 5, 1, 1, 1] && reply.addresses.count == 3)
        }
        #expect(upstream.distinctRequests.count == 3)
    }

    @Test func `loops and endless aliases are SERVFAIL, and cost a handful of queries`() throws {
        let endless = try openUpstream(25) { $0.address() }
        let server = try TestEngine(upstreams: [endless.address], timeout: .seconds(20))
        #expect(try server.ask(TestQuery("a.example.com")).outcome == .serverFailure)
        #expect(endless.distinctRequests.count == Resolution.maximumHops + 1)
        let loop = try ScriptedUpstream { request in
            let other: [UInt8] = [1, request.letter == 97 ? 98 : 97] + request.name.dropFirst(2)
            return .messages([request.reply(answers: [record(5, other)])])
        }
        let looped = try TestEngine(upstreams: [loop.address], timeout: .seconds(20))
        #expect(try looped.ask(TestQuery("a.example.com")).outcome == .serverFailure)
        #expect(loop.distinctRequests.count == 2)
        // All steps share the time that the client waits.
        let silent = try openUpstream(1) { $0.address() }
        silent.change { request in
            request.letter == 97
                ? .messages([request.reply(answers: [Self.alias("b.example.com")])]) : .silence
        }
        let waiting = try TestEngine(upstreams: [silent.address], timeout: .milliseconds(300))
        #expect(try waiting.ask(TestQuery("a.example.com")).outcome == .serverFailure)
        #expect(waiting.engine.statistics()[.timeouts] == 1 && waiting.engine.statistics()[.inFlight] == 0)
    }

    @Test func `each step goes to an upstream that can answer it, and over TCP where necessary`() throws {
        let first = try ScriptedUpstream { request in
            request.letter == 97
                ? .messages([request.reply(answers: [Self.alias("b.example.com")])])
                : .messages([request.reply(code: 5)])
        }
        let second = try ScriptedUpstream { request in
            request.isTCP ? .messages([request.address(7)]) : .messages([request.reply(flags: 0x83)])
        }
        let server = try TestEngine(upstreams: [first.address, second.address], timeout: .seconds(20))
        let reply = try server.ask(TestQuery("a.example.com"))
        #expect(reply.answers.map(\.type) == [5, 1] && reply.addresses == [.v4(0xC000_0207)])
    }
}

extension UpstreamRequest {
    /// The first letter of the name in lower case; 0 if the name is the root.
    fileprivate var letter: UInt8 { isProbe ? 0 : name[1] | 0x20 }
}
