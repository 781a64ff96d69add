import Glibc
import Synchronization
import Testing

@testable import Engine

/// What somebody achieves who sends answers and errors in an upstream's name, without seeing what it is asked.
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
        // The next attempt is made at once, not after the time that it usually takes.
        try server.waitForStatistics { $0[.retries] == 1 }
        #expect(server.engine.statistics()[.failures] == 0)
        isReady.set()
        #expect(try TestReply(try client.receive()).addresses.count == 1)
        try server.waitForStatistics { $0.upstreams.allSatisfy(\.isHealthy) }
    }
}
