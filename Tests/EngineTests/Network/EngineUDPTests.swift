import Testing

@testable import Engine

/// The real engine, asked over UDP.
struct EngineUDPTests {
    @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
    func `UDP queries are answered`(_ listen: String) throws {
        let server = try TestEngine([listen])
        let socket = try TestSocket.udp(server.address)
        for start in 0..<6 {
            let reply = try socket.ask(web)
            #expect(reply.addresses == (0..<3).map { IPAddress.ten((start + $0) % 3) })
        }
        #expect(try socket.ask(big).isTruncated)
        #expect(try socket.ask(TestQuery("example.com")).outcome == .refused)
        #expect(server.engine.statistics()[.udpQueries] == 8)
    }

    @Test func `several addresses have a port each`() throws {
        let server = try TestEngine(["127.0.0.1:0", "[::1]:0", "127.0.0.2:0"])
        #expect(server.engine.localAddresses.count == 3)
        for address in server.engine.localAddresses {
            #expect(address.port != 0)
            #expect(try TestSocket.udp(address).ask(web).addresses.count == 3)
            #expect(try TestSocket.tcp(address).askFramed(web).addresses.count == 3)
        }
    }

    @Test(arguments: ["127.0.0.1", "127.0.0.2", "127.9.8.7"])
    func `bound to the wildcard, the reply comes from the address that was asked`(_ host: String) throws {
        let server = try TestEngine(["0.0.0.0:0"])
        // A connected socket receives only from the address that it has asked.
        let socket = try TestSocket.udp(try server.address(host: host))
        for _ in 0..<100 { #expect(try socket.ask(web).addresses.count == 3) }
    }

    @Test func `bound to the IPv6 wildcard too`() throws {
        let server = try TestEngine(["[::]:0"])
        #expect(try TestSocket.udp(try server.address(host: "::1")).ask(web).addresses.count == 3)
        #expect(try TestSocket.tcp(try server.address(host: "::1")).askFramed(web).addresses.count == 3)
    }

    @Test(.enabled(if: OwnNetwork.isAllowed))
    func `bound to the IPv6 wildcard, the reply comes from the address that was asked`() throws {
        try OwnNetwork.run {
            let server = try TestEngine(["[::]:0"])
            for address in [OwnNetwork.address, .v6(0, 1)] {
                // The client uses either address. The reply's source is not the one that the route to the client would
                // choose.
                for local in [OwnNetwork.address, .v6(0, 1)] {
                    let socket = try TestSocket.udp(
                        SocketAddress(address, port: server.address.port), from: SocketAddress(local, port: 0))
                    for _ in 0..<10 { #expect(try socket.ask(web).addresses.count == 3) }
                }
            }
        }
    }

    @Test func `a burst larger than a batch is answered, each client by its own reply`() throws {
        let server = try TestEngine(["0.0.0.0:0"])
        let sockets = try (0..<50).map { index in
            try TestSocket.udp(try server.address(host: "127.0.0.\(index % 5 + 1)"))
        }
        for round in 0..<6 {
            for (index, socket) in sockets.enumerated() {
                var query = index % 3 == 0 ? TestQuery("nothing.service.kong") : web
                query.id = UInt16(index * 10 + round)
                // Packets that get no reply come in between. They must not shift the replies to others.
                if index % 4 == 0 { try socket.send([1, 2, 3]) }
                try socket.send(try query.octets)
            }
        }
        for (index, socket) in sockets.enumerated() {
            for round in 0..<6 {
                let reply = try TestReply(try socket.receive())
                #expect(reply.id == UInt16(index * 10 + round))
                #expect(reply.outcome == (index % 3 == 0 ? .nameError : .records))
            }
        }
        #expect(server.engine.statistics()[.dropped] == 13 * 6)
    }

    @Test func `a datagram longer than a query may be is FORMERR`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.udp(server.address)
        let query = try web.octets(replacing: [:], appending: [UInt8](repeating: 0, count: 5000))
        try socket.send(query)
        #expect(try TestReply(try socket.receive()).outcome == .formatError)
        #expect(try socket.ask(web).addresses.count == 3)
    }

    /// An IPv4 packet with a query, from this address.
    private func packet(from source: SocketAddress, to target: SocketAddress) throws -> [UInt8] {
        guard case .v4(let from) = source.address, case .v4(let to) = target.address else {
            throw TestFailure("IPv4 only")
        }
        let query = try web.octets
        var packet: [UInt8] = [0x45, 0]
        packet.append(bigEndian: UInt16(28 + query.count))
        packet += [0, 0, 0, 0, 64, 17, 0, 0]
        for address in [from, to] {
            packet.append(bigEndian: UInt16(truncatingIfNeeded: address >> 16))
            packet.append(bigEndian: UInt16(truncatingIfNeeded: address))
        }
        for number in [source.port, target.port, UInt16(8 + query.count), 0] { packet.append(bigEndian: number) }
        return packet + query
    }

    @Test(.enabled(if: RawSocket.datagrams.isAllowed), arguments: ["127.0.0.1:0", "0.0.0.0:0"])
    func `what seems to come from port 0, or from the server itself, is dropped`(_ listen: String) throws {
        let server = try TestEngine([listen])
        let own = try server.address(host: "127.0.0.1")
        let zero = SocketAddress(own.address, port: 0)
        let other = try server.address(host: "127.0.0.2")
        // All of 127.0.0.0/8 is the wildcard's own, so its reply would come back to it, and be dropped there.
        let others = listen == "0.0.0.0:0" ? [] : [other]
        for source in [zero, own] + others {
            try RawSocket.datagrams.send([packet(from: source, to: own)], to: own)
        }
        // Queries are received in their order.
        #expect(try TestSocket.udp(own).ask(web).addresses.count == 3)
        let answered = server.engine.statistics()[.answered]
        try server.waitForStatistics { $0[.dropped] == 2 }
        #expect(answered == UInt64(1 + others.count))
        #expect(server.engine.statistics()[.sendErrors] == 0)
    }

    @Test func `a response is never answered`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.udp(server.address)
        let response = try web.octets(replacing: [2: 0x80])
        for _ in 0..<5 { try socket.send(response) }
        try socket.send([UInt8](response.dropLast(20)) + [1])
        #expect(try socket.ask(web).addresses.count == 3)
        try server.waitForStatistics { $0[.dropped] == 6 }
    }

    @Test func `a storm of garbage stops nobody`() throws {
        let server = try TestEngine(workers: 2)
        var random = SeededRandom(8)
        let storm = try TestSocket.udp(server.address)
        let query = try web.octets
        for _ in 0..<20_000 {
            var octets = query
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                octets = (0..<Int.random(in: 0..<600, using: &random)).map { _ in .random(in: 0...255, using: &random) }
            case 1: octets = [UInt8](octets.prefix(Int.random(in: 0..<octets.count, using: &random)))
            default:
                for _ in 0..<4 {
                    octets[Int.random(in: 2..<octets.count, using: &random)] = .random(in: 0...255, using: &random)
                }
            }
            // Nobody reads the replies, so they fill the client's buffer. That must not affect the server.
            if !octets.isEmpty { try storm.send(octets) }
        }
        let client = try TestSocket.udp(server.address)
        for _ in 0..<100 { #expect(try client.ask(web).addresses.count == 3) }
    }

    @Test func `a client that is gone disturbs nobody`() throws {
        let server = try TestEngine()
        // The replies to this client bounce (ICMP port unreachable). The error must not cost another client its query.
        for _ in 0..<200 {
            try TestSocket.udp(server.address).send(try web.octets)
            #expect(try TestSocket.udp(server.address).ask(web).addresses.count == 3)
        }
    }
}
