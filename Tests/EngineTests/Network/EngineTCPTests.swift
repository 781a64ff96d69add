import Glibc
import Testing

@testable import Engine

/// The real engine, asked over TCP.
struct EngineTCPTests {
    @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
    func `TCP queries are answered, large answers whole`(_ listen: String) throws {
        let server = try TestEngine([listen])
        let socket = try TestSocket.tcp(server.address)
        #expect(try socket.askFramed(web).addresses.count == 3)
        let large = try socket.askFramed(big)
        #expect(large.addresses.count == 4000 && !large.isTruncated)
        #expect(try socket.askFramed(TestQuery("example.com")).outcome == .refused)
    }

    @Test func `pipelined queries are answered in order (RFC 7766 §6.2.1.1)`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.tcp(server.address)
        var queries: [TestQuery] = []
        for id in 0..<500 {
            var query = id % 7 == 0 ? TestQuery("nothing.service.kong") : web
            query.id = UInt16(id)
            queries.append(query)
        }
        try socket.sendFramed(queries)
        for query in queries {
            let reply = try socket.receiveFramed()
            #expect(reply.id == query.id)
            #expect(reply.outcome == (query.name == web.name ? .records : .nameError))
        }
    }

    @Test func `an answer that is waited for is overtaken by later ones on its connection (RFC 7766 §7)`() throws {
        let isReleased = TestFlag()
        let upstream = try ScriptedUpstream { .held(until: isReleased, $0.address()) }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(60))
        let socket = try TestSocket.tcp(server.address)
        var outside = TestQuery("www.example.com")
        outside.id = 1
        var own = web
        own.id = 2
        try socket.sendFramed([outside, own, own])
        for _ in 0..<2 { #expect(try socket.receiveFramed().id == 2) }
        isReleased.set()
        let last = try socket.receiveFramed()
        #expect(last.id == 1 && last.addresses.count == 1)
        // The connection goes on.
        #expect(try socket.askFramed(own).addresses.count == 3)
    }

    @Test func `the rotation is shared by UDP and TCP`() throws {
        let server = try TestEngine()
        let udp = try TestSocket.udp(server.address)
        let tcp = try TestSocket.tcp(server.address)
        for start in 0..<30 {
            let reply = start % 3 == 1 ? try tcp.askFramed(web) : try udp.ask(web)
            #expect(reply.addresses.first == .ten(start % 3))
        }
    }

    @Test func `a query may come octet by octet (RFC 7766 §8)`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.tcp(server.address)
        for octet in framed(try web.octets) + framed(try web.octets) { try socket.send([octet]) }
        #expect(try socket.receiveFramed().addresses.count == 3)
        #expect(try socket.receiveFramed().addresses.count == 3)
    }

    @Test func `a client that has closed its sending side is still answered (RFC 7766 §6.2.3)`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.tcp(server.address)
        // These are more queries than a turn takes, and more than may be pending. All are answered nevertheless.
        let queries = Array(repeating: web, count: 200) + Array(repeating: big, count: 20)
        try socket.sendFramed(queries)
        socket.finish()
        for query in queries {
            #expect(try socket.receiveFramed().addresses.count == (query.name == web.name ? 3 : 4000))
        }
        #expect(try socket.receive().isEmpty)
    }

    @Test(arguments: [0, 1, 11])
    func `a message too short for a header closes the connection`(_ length: UInt8) throws {
        let server = try TestEngine()
        let socket = try TestSocket.tcp(server.address)
        #expect(try socket.askFramed(web).addresses.count == 3)
        try socket.send([0, length])
        #expect(socket.isClosedByServer())
        #expect(try TestSocket.tcp(server.address).askFramed(web).addresses.count == 3)
    }

    @Test func `a message without a reply is passed over`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.tcp(server.address)
        try socket.send(framed(try web.octets(replacing: [2: 0x81])) + framed(try web.octets))
        #expect(try socket.receiveFramed().addresses.count == 3)
    }

    @Test func `the longest message is read whole`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.tcp(server.address)
        let query = try web.octets
        let padding = [UInt8](repeating: 0, count: 65535 - query.count)
        try socket.send(framed(query + padding) + framed(query))
        #expect(try socket.receiveFramed().outcome == .formatError)
        #expect(try socket.receiveFramed().addresses.count == 3)
    }

    @Test func `clients that sent half a query hold up nobody`() throws {
        let server = try TestEngine(tcp: TCPLimits(maximumConnections: 1024, maximumPerClient: 1024))
        let half = framed(try web.octets).dropLast(5)
        let waiting = try (0..<200).map { index in
            let socket = try TestSocket.tcp(server.address)
            try socket.send([UInt8](half.prefix(1 + index % half.count)))
            return socket
        }
        let client = try TestSocket.tcp(server.address)
        #expect(try client.askFramed(web).addresses.count == 3)
        #expect(try TestSocket.udp(server.address).ask(web).addresses.count == 3)
        // None of them was closed, and each gets its answer when it completes its query.
        for (index, socket) in waiting.enumerated() {
            try socket.send([UInt8](framed(try web.octets).dropFirst(1 + index % half.count)))
            #expect(try socket.receiveFramed().addresses.count == 3)
        }
    }

    @Test func `a client that never reads is bounded, and others are served`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.tcp(server.address)
        try socket.shrinkReceiveBuffer()
        let burst = try (0..<100).flatMap { _ in framed(try big.octets) }
        // The client sends until the server stops reading. Each query asks for 64 KB: without a bound it would never
        // stop.
        var sent = 0
        var idleRounds = 0
        while idleRounds < 50, sent < 100_000_000 {
            let count = try #require(socket.sendWhatFits(burst), "the server has closed")
            sent += count
            idleRounds = count == 0 ? idleRounds + 1 : 0
            #expect(try TestSocket.udp(server.address).ask(web).addresses.count == 3)
        }
        #expect(sent < 100_000_000)
        // The answers fit into the client's buffers and the kernel's, and are far fewer than it asked for.
        let answered = server.engine.statistics()[.tcpQueries]
        #expect(answered < 2000, "\(answered) queries of 64 KB were answered")
        #expect(try TestSocket.tcp(server.address).askFramed(big).addresses.count == 4000)
    }

    @Test func `replies that were waited for are bounded as well, and all come when the client reads`() throws {
        let upstream = try ScriptedUpstream.longAnswers()
        let server = try TestEngine(upstreams: [upstream.address])
        let socket = try TestSocket.tcp(server.address)
        // Together with the server's own 4 MB in the kernel this is less than the answers' 7.6 MB.
        try socket.set(SOL_SOCKET, SO_RCVBUF, to: 100_000)
        let count = TCPSession.maximumOutstanding
        try socket.sendFramed(Array(repeating: TestQuery("long.example.com"), count: count))
        try server.waitForStatistics { $0[.cacheMisses] == count && $0[.inFlight] == 0 }
        let before = server.engine.statistics()
        for _ in 0..<200 { #expect(try TestSocket.udp(server.address).ask(web).addresses.count == 3) }
        let written = server.engine.statistics()[.answered] - before[.udpQueries] - 200
        #expect(written < count - 10, "\(written) of \(count) were written: nothing is tested")
        for _ in 0..<count { #expect(try socket.receiveFramed().addresses.count == 3700) }
        #expect(server.engine.statistics()[.failures] == 0)
        #expect(try socket.askFramed(web).addresses.count == 3)
    }

    @Test func `a slow reader gets everything that it asked for`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.tcp(server.address)
        // This is 12 MB, more than the buffers of kernel and server hold, so the server must pause and resume.
        try socket.sendFramed(Array(repeating: big, count: 200))
        for _ in 0..<100 { #expect(try TestSocket.udp(server.address).ask(web).addresses.count == 3) }
        #expect(server.engine.statistics()[.tcpQueries] < 200, "the buffers hold all of it: nothing is tested")
        for _ in 0..<200 { #expect(try socket.receiveFramed().octets.count > 64_000) }
        #expect(try socket.askFramed(web).addresses.count == 3)
    }

    @Test func `garbage over TCP stops nobody`() throws {
        let server = try TestEngine(workers: 2)
        var random = SeededRandom(9)
        for _ in 0..<200 {
            let socket = try TestSocket.tcp(server.address)
            let octets = (0..<Int.random(in: 1..<3000, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            _ = socket.sendWhatFits(octets)
            if Bool.random(using: &random) { socket.finish() }
        }
        #expect(try TestSocket.tcp(server.address).askFramed(web).addresses.count == 3)
    }
}
