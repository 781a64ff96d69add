import Testing

@testable import Engine

/// The limits of RFC 7766 §6, over real connections.
struct TCPLimitTests {
    private let all = TCPLimits(maximumConnections: 1024, maximumPerClient: 1024)

    @Test func `at a client's limit its connection idle longest gives way`() throws {
        var limits = all
        limits.maximumPerClient = 3
        let server = try TestEngine(tcp: limits)
        let other = try TestSocket.tcp(server.address, from: SocketAddress("127.0.0.9:0"))
        #expect(try other.askFramed(web).addresses.count == 3)
        let sockets = try (0..<3).map { _ in try TestSocket.tcp(server.address) }
        for socket in sockets { #expect(try socket.askFramed(web).addresses.count == 3) }
        // The first one is used again, so now the second is idle longest.
        #expect(try sockets[0].askFramed(web).addresses.count == 3)
        let fourth = try TestSocket.tcp(server.address)
        #expect(try fourth.askFramed(web).addresses.count == 3)
        #expect(sockets[1].isClosedByServer())
        for socket in [sockets[0], sockets[2], fourth, other] {
            #expect(try socket.askFramed(web).addresses.count == 3)
        }
        try server.waitForStatistics { $0[.connectionsEvicted] == 1 && $0[.connectionsOpen] == 4 }
    }

    @Test func `at the limit of all, the connection idle longest gives way`() throws {
        var limits = all
        limits.maximumConnections = 4
        let server = try TestEngine(tcp: limits)
        let sockets = try (1...4).map { try TestSocket.tcp(server.address, from: SocketAddress("127.0.0.\($0):0")) }
        for socket in sockets.reversed() { #expect(try socket.askFramed(web).addresses.count == 3) }
        let fifth = try TestSocket.tcp(server.address)
        #expect(try fifth.askFramed(web).addresses.count == 3)
        #expect(sockets[3].isClosedByServer())
        for socket in sockets.prefix(3) { #expect(try socket.askFramed(web).addresses.count == 3) }
    }

    @Test func `clients that only sit there can't keep others out`() throws {
        var limits = all
        limits.maximumConnections = 20
        let server = try TestEngine(tcp: limits)
        let sitting = try (0..<60).map { _ in try TestSocket.tcp(server.address) }
        #expect(try TestSocket.tcp(server.address).askFramed(web).addresses.count == 3)
        #expect(sitting[0].isClosedByServer())
    }

    @Test func `over several workers a limit counts all connections`() throws {
        var limits = all
        limits.maximumConnections = 8
        let server = try TestEngine(workers: 2, tcp: limits)
        var sockets: [TestSocket] = []
        for _ in 0..<64 {
            let socket = try TestSocket.tcp(server.address)
            #expect(try socket.askFramed(web).addresses.count == 3)
            sockets.append(socket)
        }
        try server.waitForStatistics { $0[.connectionsOpen] == 8 && $0[.connectionsEvicted] == 56 }
        #expect(server.engine.statistics()[.connectionsAccepted] == 64)
    }

    @Test(arguments: [false, true])
    func `over several workers the connection idle longest gives way`(isClientLimit: Bool) throws {
        let limits = TCPLimits(maximumConnections: isClientLimit ? 100 : 5, maximumPerClient: isClientLimit ? 5 : 100)
        let server = try TestEngine(workers: 4, tcp: limits)
        var sockets: [TestSocket] = []
        for number in 0..<40 {
            let socket = try TestSocket.tcp(server.address)
            #expect(try socket.askFramed(web).addresses.count == 3)
            sockets.append(socket)
            // Most likely each worker has been asked something else, so it knows by then that its reply was sent.
            for _ in 0..<64 { #expect(try TestSocket.udp(server.address).ask(web).addresses.count == 3) }
            guard number >= 5 else { continue }
            #expect(sockets[number - 5].isClosedByServer())
            #expect(!sockets[number - 4].isReadable(withinMilliseconds: 0))
        }
    }

    @Test(arguments: [65, 200], [1, 2])
    func `clients that connect at once, each with its query, are all answered`(count: Int, workers: Int) throws {
        for limits in [
            TCPLimits(maximumConnections: 1024, maximumPerClient: 64),
            TCPLimits(maximumConnections: 64, maximumPerClient: 1024),
            TCPLimits(maximumConnections: 1024, maximumPerClient: 3),
        ] {
            let server = try TestEngine(workers: workers, tcp: limits)
            let sockets = try (0..<count).map { _ in
                let socket = try TestSocket.tcp(server.address)
                try socket.sendFramed([big])
                return socket
            }
            for socket in sockets { #expect(try socket.receiveFramed().addresses.count == 4000) }
        }
    }

    @Test func `clients that connect first and ask then are all answered`() throws {
        let server = try TestEngine(workers: 2, tcp: TCPLimits(maximumConnections: 1024, maximumPerClient: 64))
        let sockets = try (0..<200).map { _ in try TestSocket.tcp(server.address) }
        for socket in sockets { try socket.sendFramed([web]) }
        for socket in sockets { #expect(try socket.receiveFramed().addresses.count == 3) }
    }

    @Test(arguments: [TCPLimits(maximumPerClient: 20), TCPLimits(maximumConnections: 20)])
    func `so are those whose answers take long`(limits: TCPLimits) throws {
        let upstream = try ScriptedUpstream { .late(milliseconds: 50, $0.address(1)) }
        let server = try TestEngine(upstreams: [upstream.address], workers: 2, tcp: limits)
        let sockets = try (0..<100).map { number in
            let socket = try TestSocket.tcp(server.address)
            try socket.sendFramed([TestQuery("n\(number).example.com")])
            return socket
        }
        for socket in sockets { #expect(try socket.receiveFramed().addresses.count == 1) }
    }

    @Test func `a client whose connections are all busy keeps no other out`() throws {
        let upstream = try ScriptedUpstream { _ in .silence }
        let limits = TCPLimits(maximumConnections: 1024, maximumPerClient: 8)
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20), tcp: limits)
        let busy = try (0..<(8 + TCPConnectionTable.maximumWaiting)).map { _ in
            let socket = try TestSocket.tcp(server.address, from: SocketAddress("127.0.0.2:0"))
            try socket.sendFramed([TestQuery("never.example.com")])
            return socket
        }
        try server.waitForStatistics { $0[.connectionsAccepted] == busy.count }
        // This is one more than may wait.
        #expect(try TestSocket.tcp(server.address, from: SocketAddress("127.0.0.2:0")).isClosedByServer())
        #expect(try TestSocket.tcp(server.address).askFramed(web).addresses.count == 3)
        #expect(server.engine.statistics()[.connectionsOpen] <= 9)
    }

    @Test func `a client that waits for its answer is not idle`() throws {
        let upstream = try ScriptedUpstream { .late(milliseconds: 400, $0.address(1)) }
        let server = try TestEngine(upstreams: [upstream.address], tcp: TCPLimits(idleTimeout: .milliseconds(100)))
        let socket = try TestSocket.tcp(server.address)
        #expect(try socket.askFramed(TestQuery("www.example.com")).addresses.count == 1)
        #expect(socket.isClosedByServer())
    }

    @Test func `a connection that waits for another one of its client waits no longer than an idle one`() throws {
        let upstream = try ScriptedUpstream { _ in .silence }
        let limits = TCPLimits(maximumPerClient: 1, idleTimeout: .milliseconds(300))
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20), tcp: limits)
        let busy = try TestSocket.tcp(server.address)
        try busy.sendFramed([TestQuery("never.example.com")])
        try server.waitForStatistics { $0[.connectionsOpen] == 1 }
        let waiting = try TestSocket.tcp(server.address)
        try waiting.sendFramed([web])
        #expect(waiting.isClosedByServer())
        // The other connection still waits for its answer.
        #expect(!busy.isReadable(withinMilliseconds: 0))
        #expect(server.engine.statistics()[.connectionsOpen] == 1)
    }

    @Test func `after as many queries as allowed the connection is closed, all of them answered`() throws {
        var limits = all
        limits.maximumQueries = 3
        let server = try TestEngine(tcp: limits)
        for asked in [3, 10] {
            let socket = try TestSocket.tcp(server.address)
            try socket.sendFramed(Array(repeating: big, count: asked))
            for _ in 0..<3 { #expect(try socket.receiveFramed().addresses.count == 4000) }
            #expect(socket.isClosedByServer())
        }
    }

    @Test func `an idle connection is closed, one in use is not (RFC 7766 §6.2.3)`() throws {
        var limits = all
        limits.idleTimeout = .milliseconds(600)
        let server = try TestEngine(tcp: limits)
        let idle = try TestSocket.tcp(server.address)
        let silent = try TestSocket.tcp(server.address)
        #expect(try idle.askFramed(web).addresses.count == 3)
        let start = ContinuousClock.now
        // This one asks all the time, far more often than the timeout, until the others are closed.
        let busy = try TestSocket.tcp(server.address)
        while !(idle.isReadable(withinMilliseconds: 0) && silent.isReadable(withinMilliseconds: 0)) {
            #expect(try busy.askFramed(web).addresses.count == 3)
            guard ContinuousClock.now - start < .seconds(30) else { throw TestFailure("never closed") }
        }
        #expect(ContinuousClock.now - start >= .milliseconds(590))
        #expect(idle.isClosedByServer() && silent.isClosedByServer())
        #expect(try busy.askFramed(web).addresses.count == 3)
    }

    @Test func `a client that trickles octets without a query is idle`() throws {
        var limits = all
        limits.idleTimeout = .milliseconds(300)
        let server = try TestEngine(tcp: limits)
        let socket = try TestSocket.tcp(server.address)
        // The message has 60,000 octets, and never ends.
        try socket.send([0xEA, 0x60])
        let start = ContinuousClock.now
        while socket.sendWhatFits([0]) != nil, !socket.isReadable(withinMilliseconds: 10) {
            guard ContinuousClock.now - start < .seconds(30) else { throw TestFailure("never closed") }
        }
        #expect(socket.isClosedByServer())
    }

    @Test func `a client that never reads is idle too`() throws {
        var limits = all
        limits.idleTimeout = .milliseconds(300)
        let server = try TestEngine(tcp: limits)
        let socket = try TestSocket.tcp(server.address)
        try socket.shrinkReceiveBuffer()
        try socket.sendFramed(Array(repeating: big, count: 100))
        // The pending replies are dropped with it: the server does not keep them for ever.
        try server.waitForStatistics { $0[.connectionsOpen] == 0 && $0[.connectionsAccepted] == 1 }
    }

    @Test func `so is a client that does not read the replies that it waited for`() throws {
        let upstream = try ScriptedUpstream.longAnswers()
        let server = try TestEngine(upstreams: [upstream.address], tcp: TCPLimits(idleTimeout: .milliseconds(300)))
        let socket = try TestSocket.tcp(server.address)
        try socket.shrinkReceiveBuffer()
        try socket.sendFramed(Array(repeating: TestQuery("long.example.com"), count: 128))
        try server.waitForStatistics { $0[.connectionsOpen] == 0 && $0[.connectionsAccepted] == 1 }
    }

    @Test func `connections that clients close are forgotten`() throws {
        let server = try TestEngine(tcp: TCPLimits(maximumConnections: 10, maximumPerClient: 10))
        for round in 0..<100 {
            let socket = try TestSocket.tcp(server.address)
            if round % 3 == 0 { #expect(try socket.askFramed(web).addresses.count == 3) }
            if round % 3 == 1 { try socket.send([0, 50, 1]) }
        }
        try server.waitForStatistics { $0[.connectionsAccepted] == 100 && $0[.connectionsOpen] == 0 }
        #expect(server.engine.statistics()[.connectionsOpen] == 0)
    }
}
