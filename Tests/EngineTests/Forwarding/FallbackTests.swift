import Testing

@testable import Engine

/// The known answers that clients get if their question can't be answered now.
struct FallbackTests {
    @Test func `while upstreams are away, questions for signatures or without checks get the plain answer`() throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address], timeout: .milliseconds(100))
        let plain = TestQuery("www.example.com")
        var unchecked = plain
        unchecked.checkingDisabled = true
        #expect(try server.ask(plain).addresses == [.v4(0xC000_0201)])
        upstream.change { _ in .messages([]) }
        for query in [plain, unchecked] {
            for asked in [query.offering(payload: 1232, dnssecOK: true), unchecked] {
                for _ in 0..<2 {
                    let reply = try server.ask(asked)
                    #expect(reply.addresses == [.v4(0xC000_0201)] && !reply.authenticData)
                    #expect(reply.answers.map(\.type) == [1] && reply.checkingDisabled == asked.checkingDisabled)
                }
            }
        }
        // A client whose question is over the limit gets it too.
        let busy = try TestEngine(upstreams: [upstream.address], timeout: .seconds(2), maximumInFlight: 1)
        upstream.change { .messages([$0.address()]) }
        #expect(try busy.ask(plain).addresses.count == 1)
        upstream.change { _ in .messages([]) }
        try TestSocket.udp(busy.address).send(try TestQuery("other.example.com").octets)
        try busy.waitForStatistics { $0[.inFlight] == 1 }
        #expect(try busy.ask(plain.offering(payload: 1232, dnssecOK: true)).addresses.count == 1)
        // Or the other one gave way to it, if this took long.
        let statistics = busy.engine.statistics()
        #expect(statistics[.overLimit] + statistics[.gaveWay] == 1)
        // The reverse does not hold: nobody has validated this answer.
        upstream.change { $0.octets[3] & 0x10 == 0 ? .messages([]) : .messages([$0.address(6)]) }
        var other = TestQuery("other.example.com")
        other.checkingDisabled = true
        #expect(try server.ask(other).addresses == [.v4(0xC000_0206)])
        other.checkingDisabled = false
        #expect(try server.ask(other).outcome == .serverFailure)
        #expect(try server.ask(other.offering(payload: 1232, dnssecOK: true)).outcome == .serverFailure)
    }
}
