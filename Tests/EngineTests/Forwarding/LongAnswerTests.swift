import Glibc
import Testing

@testable import Engine

/// Answers over TCP.
struct LongAnswerTests {
    private static func long(_ request: UpstreamRequest) -> [UInt8] {
        request.reply(answers: (0..<900).map { _ in record(16, [52] + [UInt8](repeating: 120, count: 52)) })
    }

    /// Names that begin with "long" have long answers. All answers are truncated over UDP.
    private static func script(_ request: UpstreamRequest) -> UpstreamThread.Reaction {
        guard request.isTCP else { return .messages([request.reply(flags: 0x83)]) }
        let isLong = request.name[1].lowercasedASCII == UInt8(ascii: "l")
        return .messages([isLong ? long(request) : request.address()])
    }

    @Test func `short answers come at once, however many long ones are asked for`() throws {
        let upstream = try ScriptedUpstream { Self.script($0) }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(3))
        let socket = try TestSocket.udp(server.address)
        for number in 0..<40 { try socket.send(try TestQuery("long\(number).example.com", .txt).octets) }
        for number in 0..<40 {
            #expect(try server.ask(TestQuery("short\(number).example.com")).addresses.count == 1, "\(number)")
        }
        // The clients that asked for long answers get one in its turn, or an error.
        for _ in 0..<40 {
            let reply = try TestReply(try socket.receive())
            #expect(reply.outcome == .serverFailure || reply.isTruncated)
        }
        // Each is asked for over TCP once, apart from queries that a busy machine sent again before.
        let statistics = server.engine.statistics()
        #expect(statistics[.upstreamTCPQueries] <= 80 + statistics[.hedges] + statistics[.retries])
        #expect(statistics[.inFlight] == 0)
    }

    @Test func `a long answer is read in its turn`() throws {
        let upstream = try ScriptedUpstream { Self.script($0) }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        let start = ContinuousClock.now
        for number in 0..<3 {
            let reply = try TestSocket.tcp(server.address).askFramed(TestQuery("long\(number).example.com", .txt))
            #expect(reply.answers.count == 900)
        }
        // Two of the answers are read at 64 KiB a second, less the burst.
        #expect(ContinuousClock.now - start > .seconds(1))
        // The wait is not held against the upstream.
        #expect(server.engine.statistics().upstreams.allSatisfy { $0.isHealthy })
    }

    @Test func `an upstream is not asked again over UDP while it is asked over TCP`() throws {
        let upstream = try ScriptedUpstream { $0.isTCP ? .silence : .messages([$0.reply(flags: 0x83)]) }
        let other = try ScriptedUpstream { _ in .silence }
        for upstreams in [[upstream.address], [upstream.address, other.address]] {
            let server = try TestEngine(upstreams: upstreams, timeout: .seconds(2))
            let before = upstream.requests.count
            #expect(try server.ask(TestQuery("www.example.com")).outcome == .serverFailure)
            let asked = upstream.requests.dropFirst(before)
            #expect(asked.count { $0.isTCP } == 1)
            // There is a second one if a busy machine asked again before the first was answered.
            #expect(asked.count { !$0.isTCP } <= 2)
        }
    }

    @Test func `an upstream whose answers over TCP are truncated too has failed`() throws {
        let bad = try ScriptedUpstream { .messages([$0.reply(flags: 0x83)]) }
        let good = try ScriptedUpstream(address: 2)
        let server = try TestEngine(upstreams: [bad.address, good.address])
        #expect(try server.ask(TestQuery("www.example.com")).addresses == [.v4(0xC000_0202)])
        #expect(bad.requests.count { $0.isTCP } == 1)
        let alone = try TestEngine(upstreams: [bad.address])
        #expect(try alone.ask(TestQuery("www.example.com")).outcome == .serverFailure)
        let statistics = alone.engine.statistics()
        #expect(statistics[.upstreamTCPQueries] == 1 && statistics[.timeouts] == 0)
    }

    @Test func `a datagram longer than was offered is asked for over TCP`() throws {
        let records = (0..<120).map { record(1, [10, 0, 0, UInt8($0)]) }
        let upstream = try ScriptedUpstream { .messages([$0.reply(answers: records)]) }
        let server = try TestEngine(upstreams: [upstream.address])
        let reply = try TestSocket.tcp(server.address).askFramed(TestQuery("www.example.com"))
        #expect(reply.addresses.count == 120)
        #expect(server.engine.statistics()[.upstreamTCPQueries] == 1)
    }

    @Test func `messages over TCP that nobody waits for use up no budget, and too many of them end the connection`()
        throws
    {
        let isFlooding = TestFlag()
        let upstream = try ScriptedUpstream { request in
            guard request.isTCP else { return .messages([request.reply(flags: 0x83)]) }
            var stray = Self.long(request)
            stray[0] ^= 0xFF
            let strays = [[UInt8]](repeating: stray, count: isFlooding.isSet ? 200 : 20)
            return .messages(strays + [request.type == 16 ? Self.long(request) : request.address()])
        }
        let server = try TestEngine(upstreams: [upstream.address])
        for number in 0..<5 { #expect(try server.ask(TestQuery("name\(number).example.com")).addresses.count == 1) }
        let calm = server.engine.statistics()
        #expect(calm[.wrongAnswers] == 100 && calm[.failures] == 0)
        // The budget still has room for a long answer that is waited for.
        let long = try TestSocket.tcp(server.address).askFramed(TestQuery("long.example.com", .txt))
        #expect(long.answers.count == 900)
        isFlooding.set()
        #expect(try server.ask(TestQuery("flood.example.com")).outcome == .serverFailure)
        let flooded = server.engine.statistics()[.wrongAnswers] - calm[.wrongAnswers] - 20
        // This is the limit on the existing connection, and on another one.
        #expect(flooded <= 2 * UInt64(UpstreamConnection.maximumExchanges + 1))
    }

    @Test func `a long answer that has begun has its connection for itself`() throws {
        let upstream = try ScriptedUpstream { request in
            guard request.isTCP, request.type == 16 else { return Self.script(request) }
            return .raw([UInt8](framed(Self.long(request)).prefix(10_000)))
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        let socket = try TestSocket.udp(server.address)
        try socket.send(try TestQuery("long.example.com", .txt).octets)
        while upstream.deliveredCount == 0 { sched_yield() }
        // By the time the second query is answered, everything that was delivered has been read.
        for _ in 0..<2 { #expect(try server.ask(web).addresses.count == 3) }
        for number in 0..<3 { #expect(try server.ask(TestQuery("s\(number).example.com")).addresses.count == 1) }
        #expect(upstream.connectionCount == 2)
    }

    @Test func `a connection on which nothing comes any longer is left for another one`() throws {
        let upstream = try ScriptedUpstream { Self.script($0) }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .milliseconds(1000))
        #expect(try server.ask(TestQuery("a.example.com")).addresses.count == 1)
        upstream.change { $0.isTCP ? .silence : .messages([$0.reply(flags: 0x83)]) }
        #expect(try server.ask(TestQuery("b.example.com")).outcome == .serverFailure)
        upstream.change { Self.script($0) }
        let before = upstream.connectionCount
        #expect(try server.ask(TestQuery("c.example.com")).addresses.count == 1)
        #expect(upstream.connectionCount == before + 1)
    }

    @Test func `a connection is not left for one answer that does not come while others do`() throws {
        let upstream = try ScriptedUpstream { request in
            // If a busy machine has been late, there may be a probe, which has no name.
            let isQuiet = request.isTCP && request.name[1].lowercasedASCII == UInt8(ascii: "q")
            return isQuiet ? .silence : Self.script(request)
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(1))
        var number = 0
        for round in 0..<5 {
            let socket = try TestSocket.udp(server.address)
            try socket.send(try TestQuery("quiet\(round).example.com").octets)
            while !socket.isReadable(withinMilliseconds: 0) {
                #expect(try server.ask(TestQuery("s\(number).example.com")).addresses.count == 1)
                number += 1
            }
            #expect(try TestReply(try socket.receive()).outcome == .serverFailure)
        }
        // There is one more connection if a busy machine has been late with all of them.
        #expect(upstream.connectionCount <= 2)
    }
}
