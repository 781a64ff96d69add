import CEvent
import Testing

@testable import Engine

/// Datagrams that the kernel sends together.
struct DatagramSenderTests {
    /// The option UDP_GRO of udp(7): a socket receives datagrams that were sent together in one piece.
    private static let genericReceiveOffload: Int32 = 104

    /// A socket that sends, and one that receives from it alone.
    private func pair(_ host: String = "127.0.0.1") throws -> (sending: TestSocket, receiving: TestSocket) {
        let address = SocketAddress(try #require(IPAddress(host)), port: 0)
        // A socket gets a port of its own only when it connects to somebody.
        let nobody = SocketAddress(address.address, port: 9)
        let sending = try TestSocket.udp(nobody, from: address)
        let receiving = try TestSocket.udp(try sending.address(on: address.address), from: address)
        try sending.connect(to: try receiving.address(on: address.address))
        try receiving.set(SOL_SOCKET, SO_RCVBUF, to: 1 << 20)
        return (sending, receiving)
    }

    /// Sends datagrams of these lengths, each with its index in the first octet.
    private func send(_ lengths: [Int], by socket: Int32) -> [Int] {
        let buffers = DatagramBuffers(capacity: lengths.count, octets: 2000)
        for (place, length) in lengths.enumerated() {
            buffers.write(place) { datagram in
                for octet in 0..<length { datagram.append(UInt8(truncatingIfNeeded: octet == 0 ? place : length)) }
            }
        }
        var failed: [Int] = []
        buffers.send(0..<lengths.count, by: socket) { failed.append($0) }
        return failed
    }

    private func expectArrival(of lengths: [Int], at socket: TestSocket) throws {
        var missing = Set(lengths.indices)
        for _ in lengths {
            let datagram = try socket.receive()
            let place = Int(try #require(datagram.first))
            #expect(missing.remove(place) != nil, "\(place) came twice")
            #expect(datagram.count == lengths[place])
            #expect(datagram.dropFirst().allSatisfy { $0 == UInt8(truncatingIfNeeded: lengths[place]) })
        }
        #expect(!socket.isReadable(withinMilliseconds: 0))
    }

    @Test(arguments: ["127.0.0.1", "::1"])
    func `datagrams of all lengths arrive, each once`(_ host: String) throws {
        let (sending, receiving) = try pair(host)
        var random = SeededRandom(11)
        for round in 0..<200 {
            let kinds = (0...round % 7).map { _ in Int.random(in: 1...1400, using: &random) }
            let lengths = (0..<Int.random(in: 1...64, using: &random)).map { _ in
                kinds.randomElement(using: &random) ?? 1
            }
            #expect(send(lengths, by: sending.number).isEmpty)
            try expectArrival(of: lengths, at: receiving)
        }
    }

    @Test(arguments: [1, 2, 1231, 1232, 1233, 1400])
    func `more of a length than go into one packet arrive`(_ length: Int) throws {
        let (sending, receiving) = try pair()
        let lengths = [Int](repeating: length, count: 100)
        #expect(send(lengths, by: sending.number).isEmpty)
        try expectArrival(of: lengths, at: receiving)
    }

    @Test func `datagrams of one length are sent together, with a shorter one at the end`() throws {
        let (sending, receiving) = try pair()
        try receiving.set(Int32(IPPROTO_UDP), Self.genericReceiveOffload, to: 1)
        #expect(send([70, 50, 70, 60, 70, 50], by: sending.number).isEmpty)
        #expect(try receiving.receive().count == 70 + 70 + 70 + 60)
        #expect(try receiving.receive().count == 50 + 50)
    }

    @Test func `if the kernel refuses to send them together, they are sent one by one`() throws {
        let (sending, receiving) = try pair()
        // The kernel does not send segments without checksums (EINVAL).
        try sending.set(SOL_SOCKET, SO_NO_CHECK, to: 1)
        let lengths = [70, 50, 70, 60, 70, 50]
        #expect(send(lengths, by: sending.number).isEmpty)
        try expectArrival(of: lengths, at: receiving)
    }

    @Test func `each datagram that can't be sent is reported`() {
        #expect(send([70, 50, 70, 60, 1999, 50], by: -1).sorted() == [0, 1, 2, 3, 4, 5])
    }

    /// There are more clients than batches, so that some share a place in the table.
    @Test(arguments: ["127.0.0.1", "::1"])
    func `each client gets its own replies`(_ host: String) throws {
        let server = try TestEngine([host == "::1" ? "[::1]:0" : "127.0.0.1:0"], start: false)
        try expectReplies(to: 400, of: server, at: (0..<60).map { _ in try TestSocket.udp(server.address) })
    }

    @Test(arguments: [("0.0.0.0:0", ["127.0.0.1", "127.0.0.2"]), ("[::]:0", ["::1"])])
    func `a client gets replies from each address that it has asked`(_ listen: String, _ hosts: [String]) throws {
        let server = try TestEngine([listen], start: false)
        let firstHost = try server.address(host: hosts[0])
        // On loopback the client's address is the server's.
        let first = try TestSocket.udp(firstHost, sharesPort: true)
        let others = try hosts.dropFirst().map {
            try TestSocket.udp(
                try server.address(host: $0), from: try first.address(on: firstHost.address), sharesPort: true)
        }
        try expectReplies(to: 120, of: server, at: [first] + others)
    }

    /// Sends the queries before the engine runs, so that they arrive in full batches.
    private func expectReplies(to queries: UInt16, of server: TestEngine, at sockets: [TestSocket]) throws {
        let names = ["web", "a", "bb", "ccc"].map { "\($0).service.kong" }
        var ids: [Int: Set<UInt16>] = [:]
        for number in 0..<queries {
            let client = Int(number) * 7 % 61 % sockets.count
            var query = TestQuery(names[Int(number) % 5 % names.count])
            query.id = number
            ids[client, default: []].insert(number)
            try sockets[client].send(try query.octets)
        }
        try server.engine.start()
        for (client, socket) in sockets.enumerated() {
            var missing = ids[client] ?? []
            while !missing.isEmpty {
                let reply = try TestReply(try socket.receive())
                #expect(missing.remove(reply.id) != nil)
                #expect(reply.outcome == (Int(reply.id) % 5 % names.count == 0 ? .records : .nameError))
            }
            #expect(!socket.isReadable(withinMilliseconds: 0))
        }
    }
}
