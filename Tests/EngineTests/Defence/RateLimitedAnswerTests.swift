import Testing

@testable import Engine

/// What clients get above the rate limit.
struct RateLimitedAnswerTests {
    private func configuration(_ number: Int, slip: Int = 2) -> EngineConfiguration {
        var configuration = EngineConfiguration.test()
        configuration.defence.rateLimit = ResponseRateLimitSettings(responsesPerSecond: number, slip: slip)
        return configuration
    }

    private func makeServer(_ number: Int, slip: Int = 2) throws -> TestServer {
        try TestServer(
            ["web": .records([.a(5), .aaaa(2)]), "other": .records([.a(1)]), "broken": .failure],
            configuration(number, slip: slip))
    }

    /// Asks often, and returns the replies.
    private func replies(
        _ server: TestServer, _ query: TestQuery, _ count: Int = 12
    ) throws -> [TestReply?] {
        let octets = try query.octets
        return try (0..<count).map { _ in try server.reply(to: octets).map(TestReply.init) }
    }

    @Test func `an answer above the limit is dropped or has TC, and does not move the rotation`() throws {
        let server = try makeServer(3)
        let replies = try replies(server, web, 40)
        let full = replies.compactMap { $0 }.filter { !$0.answers.isEmpty }
        let cut = replies.compactMap { $0 }.filter(\.answers.isEmpty)
        // More only if this takes longer than it should.
        #expect(full.count >= 3 && full.count < 20)
        let dropped = replies.count { $0 == nil }
        #expect(dropped + cut.count + full.count == 40 && abs(dropped - cut.count) <= 1)
        for reply in cut {
            #expect(reply.isTruncated && reply.responseCode == 0 && reply.id == web.id)
            #expect(reply.octets.count == 12 + 18 + 4)
        }
        // TCP is never limited.
        let overTCP = try (0..<20).map { _ in try server.ask(web, overTCP: true) }
        let first = (full + overTCP).compactMap(\.addresses.first)
        #expect(first == (0..<first.count).map { .ten($0 % 5) })
    }

    @Test func `the truncated answer has OPT if the query had it`() throws {
        let server = try makeServer(1, slip: 1)
        let replies = try replies(server, web.offering(payload: 1232, dnssecOK: true)).compactMap { $0 }
        #expect(replies.count == 12)
        let cut = try #require(replies.last { $0.answers.isEmpty })
        #expect(cut.isTruncated && cut.edns?.dnssecOK == true)
    }

    /// - Returns: how many of the queries, which are asked in turn, were answered in full.
    private func answered(_ queries: [TestQuery]) throws -> Int {
        let server = try makeServer(2, slip: 0)
        var count = 0
        for _ in 0..<8 {
            for query in queries where server.reply(to: try query.octets) != nil { count += 1 }
        }
        return count
    }

    @Test func `names and types are limited on their own, NXDOMAIN by zone, errors together`() throws {
        // Far fewer than were asked, and at least as many as the buckets have.
        func expect(_ buckets: Int, _ queries: [TestQuery]) throws {
            let count = try answered(queries)
            #expect(count >= 2 * buckets && count < 4 * buckets + 2, "\(queries)")
        }
        try expect(1, [web, TestQuery("WEB.service.KONG")])
        try expect(2, [web, TestQuery("other.service.kong")])
        try expect(2, [web, TestQuery("web.service.kong", .aaaa)])
        try expect(1, [TestQuery("web.service.kong", .txt), TestQuery("web.service.kong", .srv)])
        try expect(1, (0..<6).map { TestQuery("none\($0).service.kong") })
        try expect(
            1,
            [TestQuery("elsewhere.example"), TestQuery("broken.service.kong"), TestQuery("service.kong", .axfr)])
        try expect(2, [web, TestQuery("none.service.kong")])
    }

    @Test func `one network's flood leaves others their answers, and is counted and named`() throws {
        let limit = ResponseRateLimitSettings(responsesPerSecond: 5)
        let server = try TestEngine(defence: DefenceConfiguration(rateLimit: limit))
        let flooding = try TestSocket.udp(
            server.address, from: SocketAddress(try #require(IPAddress("127.1.1.1")), port: 0))
        for _ in 0..<200 { try flooding.send(try web.octets) }
        let other = try TestSocket.udp(
            server.address, from: SocketAddress(try #require(IPAddress("127.2.2.2")), port: 0))
        #expect(try other.ask(web).addresses.count == 3)
        try server.waitForStatistics { $0[.udpQueries] > 200 && $0[.limitedRecords] > 150 }
        let statistics = server.engine.statistics()
        #expect(statistics[.limitedTruncated] > 60 && statistics[.limitedErrors] == 0)
        let limited = server.engine.takeLimitedNetworks()
        #expect(limited.counts[IPNetwork(.v4(0x7F01_0100), prefixLength: 24)] ?? 0 > 100)

        try server.engine.reconfigure(DefenceConfiguration())
        let late = try TestSocket.udp(server.address, from: SocketAddress(.v4(0x7F01_0102), port: 0))
        // The worker takes the change over between two queries.
        var attempts = 0
        while (try? late.ask(web).addresses.count) != 3 {
            attempts += 1
            try #require(attempts < 20)
        }
        for _ in 0..<50 { #expect(try late.ask(web).addresses.count == 3) }
        #expect(throws: EngineError.self) {
            try server.engine.reconfigure(
                DefenceConfiguration(rateLimit: ResponseRateLimitSettings(responsesPerSecond: 0)))
        }
    }
}
