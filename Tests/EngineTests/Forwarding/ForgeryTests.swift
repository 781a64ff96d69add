import Glibc
import Synchronization
import Testing

@testable import Engine

/// What an attacker achieves who sends answers and errors in an upstream's name without seeing the queries to it.
struct ForgeryTests {
    private let query = TestQuery("www.example.com")

    @Test(.enabled(if: ForgedErrors.areAllowed))
    func `a forged error ends no attempt that would have been answered`() throws {
        let isReady = TestFlag()
        let upstream = try ScriptedUpstream { .held(until: isReady, $0.address()) }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        let client = try TestSocket.udp(server.address)
        try client.send(try query.octets)
        while upstream.requests.isEmpty { _ = sched_yield() }
        let port = upstream.requests[0].port
        try ForgedErrors.send(to: SocketAddress(.v4(0x7F00_0001), port: port), about: upstream.address)
        // The next attempt is made at once, not after the usual time.
        try server.waitForStatistics { $0[.retries] == 1 }
        #expect(server.engine.statistics()[.failures] == 0)
        isReady.set()
        #expect(try TestReply(try client.receive()).addresses.count == 1)
        try server.waitForStatistics { $0.upstreams.allSatisfy(\.isHealthy) }
    }

    /// This many answers with a wrong ID, each with another one.
    private static func strays(_ request: UpstreamRequest, _ count: Int) -> [[UInt8]] {
        (1...count).map { number in
            var forged = request.address(6)
            forged[1] = forged[1] &+ UInt8(number)
            return forged
        }
    }

    @Test func `where somebody guesses at IDs the question goes over TCP, and no guess is taken, not even a right one`()
        throws
    {
        let upstream = try ScriptedUpstream { request in
            guard !request.isTCP, !request.isProbe else { return .messages([request.address(7)]) }
            return .messages(Self.strays(request, UpstreamSocket.maximumNearMisses) + [request.address(6)])
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        for number in 0..<3 {
            #expect(try server.ask(TestQuery("name\(number).example.com")).addresses == [.v4(0xC000_0207)])
        }
        #expect(upstream.requests.count { $0.isTCP } == 3)
        #expect(server.engine.statistics().upstreams.map(\.guesses) == [UInt64(upstream.requests.count { !$0.isTCP })])
    }

    @Test func `a few wrong IDs change nothing, nor do answers that come twice, or late`() throws {
        let upstream = try ScriptedUpstream { request in
            .messages(Self.strays(request, UpstreamSocket.maximumNearMisses - 1) + [request.address(1)])
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        for number in 0..<10 { #expect(try server.ask(TestQuery("name\(number).example.com")).addresses.count == 1) }
        upstream.change { .messages([[UInt8]](repeating: $0.address(1), count: 5)) }
        // There are so many that they share sockets.
        let client = try TestSocket.udp(server.address)
        for round in 0..<10 {
            for number in 0..<80 { try client.send(try TestQuery("name\(number).r\(round).example.com").octets) }
            for _ in 0..<80 { #expect(try TestReply(try client.receive()).addresses.count == 1) }
        }
        #expect(!upstream.requests.contains { $0.isTCP })
        #expect(server.engine.statistics().upstreams.map(\.guesses) == [0])
    }

    @Test func `where somebody guesses, no query that shares the port believes a guess, and all are answered`() throws {
        let isGuessing = TestFlag()
        let upstream = try ScriptedUpstream { request in
            guard !request.isTCP else { return .messages([request.address(7)]) }
            return isGuessing.isSet ? .messages(Self.strays(request, 40)) : .messages([request.address(1)])
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        let client = try TestSocket.udp(server.address)
        for round in 0..<3 {
            if round == 1 { isGuessing.set() }
            for number in 0..<80 { try client.send(try TestQuery("name\(number).r\(round).example.com").octets) }
            for _ in 0..<80 {
                let addresses = try TestReply(try client.receive()).addresses
                #expect(addresses == [.v4(round == 0 ? 0xC000_0201 : 0xC000_0207)])
            }
        }
        #expect(server.engine.statistics()[.failures] == 0)
    }
}
