import Testing

@testable import Engine

/// How many questions may be under way, and what happens at the limits.
struct QuestionLimitTests {
    @Test func `a network has a quarter, all have all, and what ends makes room`() {
        var limit = QuestionLimit(maximum: 10)
        let first = (0..<4).map { _ in limit.admit(7) }
        #expect(first == [.admitted, .admitted, .networkIsFull, .networkIsFull] && !limit.isCrowded)
        for network: UInt32 in 8...11 {
            for _ in 0..<2 {
                let admission = limit.admit(network)
                #expect(admission == .admitted)
            }
        }
        #expect(limit.count == 10 && limit.isCrowded && limit.networkCount == 5)
        let further = [limit.admit(12), limit.admit(0), limit.admit(7)]
        #expect(further == [.allAreFull, .allAreFull, .networkIsFull])
        limit.release(7)
        let again = [limit.admit(8), limit.admit(7), limit.admit(7)]
        #expect(again == [.networkIsFull, .admitted, .networkIsFull])
        for network: UInt32 in 7...11 {
            for _ in 0..<2 { limit.release(network) }
        }
        #expect(limit.count == 0 && limit.networkCount == 0 && !limit.isCrowded)
    }

    @Test(arguments: [(1, 1), (3, 1), (4, 1), (8, 2), (4096, 1024)])
    func `a network may always have one`(maximum: Int, share: Int) {
        #expect(QuestionLimit(maximum: maximum).maximumOfNetwork == share)
    }

    @Test func `questions without a client count for no network`() {
        var limit = QuestionLimit(maximum: 8)
        let admissions = (0..<9).map { _ in limit.admit(0) }
        #expect(admissions.count { $0 == .admitted } == 8 && admissions.last == .allAreFull)
        limit.release(0)
        #expect(limit.networkCount == 0 && limit.count == 7)
    }

    /// An upstream that answers at once, but is silent about names that begin with s.
    private func makeUpstream() throws -> ScriptedUpstream {
        try ScriptedUpstream { request in
            request.octets[13] | 0x20 == UInt8(ascii: "s") ? .silence : .messages([request.address()])
        }
    }

    private func client(_ server: TestEngine, _ host: String) throws -> TestSocket {
        try .udp(server.address, from: SocketAddress(try #require(IPAddress(host)), port: 0))
    }

    @Test func `a client that floods silent names leaves others theirs, and keeps its own`() throws {
        let upstream = try makeUpstream()
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20), maximumInFlight: 40)
        let (flooding, other) = (try client(server, "127.1.1.1"), try client(server, "127.2.2.2"))
        for round in 0..<10 {
            for number in 0..<100 { try flooding.send(try TestQuery("s\(round)x\(number).example.com").octets) }
            for number in 0..<10 {
                #expect(try other.ask(TestQuery("g\(round)x\(number).example.com")).addresses.count == 1)
            }
        }
        let statistics = server.engine.statistics()
        #expect(statistics[.overNetworkLimit] >= 900 && statistics[.inFlight] <= 10)
        let crowding = server.engine.takeCrowdingNetworks()
        #expect(crowding.counts.keys.map(\.description) == ["127.1.1.0/24"])
        // Once the silent ones take longer than usual, new ones take their places.
        let sameNetwork = try client(server, "127.1.1.2")
        var number = 0
        repeat { number += 1 } while try sameNetwork.ask(TestQuery("g\(number).example.net")).addresses.isEmpty
        #expect(server.engine.statistics()[.gaveWay] > 0)
    }

    @Test func `at the limit of all the oldest overdue question gives way to anybody's`() throws {
        let upstream = try makeUpstream()
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20), maximumInFlight: 4)
        for network in 1...4 {
            try client(server, "127.1.\(network).1").send(try TestQuery("s\(network).example.com").octets)
        }
        try server.waitForStatistics { $0[.inFlight] == 4 }
        let other = try client(server, "127.9.9.9")
        var number = 0
        repeat { number += 1 } while try other.ask(TestQuery("g\(number).example.net")).addresses.isEmpty
        let statistics = server.engine.statistics()
        #expect(statistics[.gaveWay] > 0 && statistics[.overNetworkLimit] == 0)
        // Above half of the limit nothing is asked twice.
        try server.waitForStatistics { $0[.withheldHedges] > 0 }
        #expect(server.engine.statistics()[.hedges] == 0)
    }
}
