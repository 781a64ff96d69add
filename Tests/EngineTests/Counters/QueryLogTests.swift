import Testing

@testable import Engine

/// What is noted of real queries: in the query log, by type, and in histograms.
struct QueryLogTests {
    /// Takes records until there are as many.
    private func records(_ count: Int, of engine: Engine) throws -> [QueryRecord] {
        var records: [QueryRecord] = []
        let end = ContinuousClock.now + .milliseconds(Int(TestSocket.patienceMilliseconds))
        while records.count < count {
            _ = engine.takeQueries { records.append($0) }
            // They are noted after their replies were sent.
            guard ContinuousClock.now < end else { throw TestFailure("there are \(records.count): \(records)") }
        }
        return records
    }

    @Test(arguments: [false, true])
    func `each kind of answer is noted with its source, code, flags and sizes`(overTCP: Bool) throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address])
        server.engine.reconfigure(queryLogShare: 1)
        let outside = TestQuery("www.example.com")
        var refused = outside
        refused.recursionDesired = false
        var checking = TestQuery("WEB.service.kong", .aaaa).offering(payload: 1232, dnssecOK: true)
        checking.checkingDisabled = true
        let none = TestQuery("none.service.kong")
        let synthesized = TestQuery("0a000001.addr.service.kong")
        let queries = [
            web, outside, outside, none, refused, synthesized, checking, TestQuery("localhost"),
            web.offering(payload: 1232, version: 1),
        ]
        for query in queries {
            _ = overTCP ? try TestSocket.tcp(server.address).askFramed(query) : try server.ask(query)
        }
        let records = try records(queries.count, of: server.engine)
        #expect(
            records.map(\.source) == [
                .zone, .upstream, .cache, .zone, .none, .synthesized, .zone, .special, .none,
            ])
        #expect(records.map(\.code) == [0, 0, 0, 3, 5, 0, 0, 0, 16])
        #expect(records.map(\.answerCount) == [3, 1, 1, 0, 0, 1, 0, 1, 0])
        #expect(records.map(\.name) == (try queries.map { try wireName($0.name) }))
        #expect(records.map(\.type) == queries.map(\.type.rawValue))
        #expect(records.allSatisfy { $0.isTCP == overTCP && $0.client == IPAddress("127.0.0.1") })
        #expect(records.map(\.hasEDNS) == queries.map { $0.edns != nil })
        #expect(records.map(\.isDNSSECOK) == queries.map { $0.edns?.dnssecOK == true })
        #expect(records.map { $0.flags & 0x0100 != 0 } == queries.map(\.recursionDesired))
        #expect(records.map { $0.flags & 0x0010 != 0 } == queries.map(\.checkingDisabled))
        #expect(records.allSatisfy { $0.duration > .zero && $0.age >= $0.duration && $0.byteCount > 12 })
        // The upstream's answer takes a round trip of another thread.
        #expect(server.engine.droppedQueries == 0)
    }

    @Test func `no share or a small one leaves out, all of a burst are noted by 1, and none twice`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.udp(server.address)
        func burst(_ count: Int) throws {
            for _ in 0..<(count / 50) {
                for _ in 0..<50 { try socket.send(try web.octets) }
                for _ in 0..<50 { _ = try socket.receive() }
            }
        }
        try burst(200)
        #expect(server.engine.takeQueries { _ in } == 0)
        /// Sets a share. A worker that is busy with batches has it after some of them, and at the latest after a
        /// single query. That one may be among those that are logged, like each that is asked alone here.
        func log(_ share: Double) throws {
            server.engine.reconfigure(queryLogShare: share)
            for _ in 0..<2 { _ = try socket.ask(web) }
        }
        try log(1)
        try burst(500)
        let all = try records(500, of: server.engine).count
        try log(0.1)
        #expect((500...505).contains(all + server.engine.takeQueries { _ in }))
        try burst(2000)
        _ = try socket.ask(web)
        #expect((100...350).contains(server.engine.takeQueries { _ in }))
        try log(0)
        _ = server.engine.takeQueries { _ in }
        try burst(200)
        #expect(server.engine.takeQueries { _ in } == 0)
    }

    @Test func `while nobody takes, answers come as ever, and what has no room is counted`() throws {
        let server = try TestEngine()
        server.engine.reconfigure(queryLogShare: 1)
        let socket = try TestSocket.udp(server.address)
        let count = QueryRing.capacity + 500
        for _ in 0..<count { #expect(try socket.ask(web).addresses.count == 3) }
        let records = try records(QueryRing.capacity, of: server.engine)
        #expect(records.count == QueryRing.capacity)
        // Off and on again: the count goes on.
        let dropped = server.engine.droppedQueries
        #expect((499...500).contains(dropped))
        server.engine.reconfigure(queryLogShare: 0)
        server.engine.reconfigure(queryLogShare: 1)
        #expect(server.engine.droppedQueries >= dropped)
    }

    @Test func `a query without a readable question has no name, and what is no query is not noted`() throws {
        let server = try TestEngine()
        server.engine.reconfigure(queryLogShare: 1)
        let socket = try TestSocket.udp(server.address)
        let twoQuestions = try web.octets(replacing: [5: 2])
        let response = try web.octets(replacing: [2: 0x81])
        for message in [response, twoQuestions] { try socket.send(message) }
        _ = try socket.receive()
        let records = try records(1, of: server.engine)
        #expect(records.map(\.name) == [nil] && records.map(\.type) == [0])
        #expect(records.map(\.code) == [1] && records.map(\.source) == [.none])
    }

    @Test func `queries are counted by type, those of rare types together`() throws {
        let server = try TestEngine()
        let types: [UInt16] = [1, 1, 28, 33, 12, 16, 6, 2, 15, 5, 65, 255, 13, 99, 65_280, 3, 66]
        for type in types {
            _ = try TestSocket.udp(server.address).ask(TestQuery("web.service.kong", RecordType(rawValue: type)))
        }
        let counts = server.engine.statistics().queriesByType
        for (type, count) in counts {
            #expect(count == (type == 1 ? 2 : type == 64 ? 0 : type == nil ? 5 : 1), "\(type ?? 0)")
        }
        #expect(counts.last?.type == nil && counts.count == EngineStatistics.countedTypes.count + 1)
    }

    @Test(arguments: [false, true])
    func `durations by source and sizes are in histograms`(overTCP: Bool) throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address])
        let outside = TestQuery("www.example.com")
        for query in [web, web, outside, outside] {
            _ = overTCP ? try TestSocket.tcp(server.address).askFramed(query) : try server.ask(query)
        }
        try server.waitForStatistics { $0.samples.replySizes.count >= 4 }
        let samples = server.engine.statistics().samples
        #expect(samples.durations(.cache).count == 1 && samples.durations(.upstream).count == 1)
        #expect(samples.durations(.zone).count >= 2 && samples.durations(.none).count == 0)
        #expect(samples.durations(.upstream).sum > 0)
        #expect(samples.requestSizes.count == samples.replySizes.count)
        // Questions for web have 34 octets, those outside 33; answers have 16 more for each address.
        #expect(samples.requestSizes.counts[0] == samples.requestSizes.count)
        #expect(samples.replySizes.sum > samples.requestSizes.sum)
        #expect(samples.replySizes.counts[1] >= 2)
    }
}
