import Testing

@testable import Engine

/// Servers that forward questions in a circle.
struct LoopTests {
    private static let allow = [IPNetwork(.v4(0x7F00_0000), prefixLength: 8)]

    private func configure(_ server: TestEngine, _ upstreams: [SocketAddress]) {
        server.engine.reconfigure(UpstreamConfiguration(servers: upstreams, policy: .sequential, allow: Self.allow))
    }

    private func queryCount(_ server: TestEngine) -> UInt64 {
        server.engine.statistics()[.upstreamUDPQueries]
    }

    @Test(arguments: [1, 2])
    func `two servers that name each other find out, and ask each other a handful of questions`(workers: Int) throws {
        let first = try TestEngine(upstreams: [], workers: workers)
        let second = try TestEngine(upstreams: [first.address], workers: workers)
        configure(first, [second.address])
        try first.waitForStatistics { $0.upstreams.map(\.leadsBack) == [true] }
        #expect(first.engine.statistics().upstreams.map(\.isHealthy) == [false])
        let before = queryCount(first) + queryCount(second)
        for number in 0..<5 {
            #expect(try first.ask(TestQuery("name\(number).example.com")).outcome == .serverFailure)
            #expect(try second.ask(TestQuery("name\(number).example.net")).outcome == .serverFailure)
        }
        // The second server checked the first before there was a circle. So it still asks the first, which fails at
        // once.
        #expect(queryCount(first) + queryCount(second) - before <= 10)
        // The circle ends, and that is discovered too.
        let good = try ScriptedUpstream()
        configure(second, [good.address])
        try first.waitForStatistics { $0.upstreams.map(\.leadsBack) == [false] }
        #expect(try first.ask(TestQuery("other.example.com")).addresses.count == 1)
    }

    @Test func `a server that is its own upstream discovers it, and asks another one`() throws {
        let good = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [good.address])
        configure(server, [server.address, good.address])
        try server.waitForStatistics { $0.upstreams.map(\.leadsBack) == [true, false] }
        for number in 0..<5 { #expect(try server.ask(TestQuery("name\(number).example.com")).addresses.count == 1) }
        #expect(queryCount(server) <= 5 + server.engine.statistics()[.hedges])
    }

    @Test func `once a server knows that its upstream leads back, it answers that upstream at once`() throws {
        let first = try TestEngine(upstreams: [])
        let second = try TestEngine(upstreams: [])
        configure(first, [second.address])
        // The second server refuses, so there is no circle.
        #expect(try first.ask(TestQuery("name.example.com")).outcome == .serverFailure)
        configure(second, [first.address])
        try second.waitForStatistics { $0.upstreams.map(\.leadsBack) == [true] }
        // Now that the second server knows of the circle, the first gets an answer at once, and need not know of it.
        #expect(try first.ask(TestQuery("other.example.com")).outcome == .serverFailure)
        #expect(first.engine.statistics()[.timeouts] == 0)
    }
}
