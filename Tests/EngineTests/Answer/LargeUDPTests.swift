import Testing

@testable import Engine

/// Clients that get long answers over UDP without EDNS.
struct LargeUDPTests {
    private let loopback = IPNetwork(.v4(0x7F00_0000), prefixLength: 8)
    private let plain = TestQuery("web.service.kong", .srv)

    /// 64 instances, which is as many as an answer of 4,096 octets holds.
    private let names = ["web": NameContent.records([.srv((0..<64).map(IPAddress.ten)), .a(60)])]

    private func makeServer(_ networks: [IPNetwork], payload: Int = 4096, udpPayload: Int = 1232) throws -> TestServer {
        var configuration = EngineConfiguration.test(udpPayload: udpPayload)
        configuration.largeUDPNetworks = networks
        configuration.largeUDPPayload = payload
        return try TestServer(names, configuration)
    }

    @Test func `a client in one of the networks gets up to the payload`() throws {
        let server = try makeServer([IPNetwork(.v4(0x0A00_0000), prefixLength: 8), loopback])
        for start in 0..<128 {
            let reply = try server.ask(plain)
            #expect(!reply.isTruncated && reply.services.map { Int($0.port) - 1 } == (0..<64).map { ($0 + start) % 64 })
            #expect(reply.octets.count > 512 && reply.octets.count <= 4096 && reply.edns == nil)
        }
        for payload in [512, 600, 1400, 2900] {
            let reply = try makeServer([loopback], payload: payload).ask(plain)
            #expect(reply.isTruncated && reply.octets.count <= payload && reply.octets.count > payload - 60)
        }
    }

    @Test func `nobody else does`() throws {
        for networks in [[], [IPNetwork(.v4(0x0A00_0000), prefixLength: 8)]] {
            let server = try makeServer(networks)
            let reply = try server.ask(plain)
            #expect(reply.isTruncated && reply.octets.count <= 512)
            #expect(try server.ask(plain.offering(payload: 4096)).octets.count <= 1232)
        }
    }

    @Test func `what a client says with EDNS counts, up to the payload`() throws {
        let server = try makeServer([loopback])
        for (offered, limit) in [(1, 512), (512, 512), (1232, 1232), (2000, 2000)] {
            let reply = try server.ask(plain.offering(payload: UInt16(offered)))
            #expect(reply.isTruncated && reply.octets.count <= limit && reply.octets.count > limit - 60)
        }
        for offered: UInt16 in [4096, 65535] {
            let reply = try server.ask(plain.offering(payload: offered))
            #expect(!reply.isTruncated && reply.services.count == 64 && reply.octets.count <= 4096)
            // The OPT record of the reply gives the size that this server receives.
            #expect(reply.edns?.payload == 1232)
        }
        // The higher of the two limits counts.
        #expect(
            try !makeServer([loopback], payload: 512, udpPayload: 4096).ask(plain.offering(payload: 4096)).isTruncated)
        #expect(try makeServer([loopback], payload: 512, udpPayload: 4096).ask(plain).octets.count <= 512)
    }

    @Test(arguments: [511, 4097])
    func `a payload is 512 to 4,096 octets`(_ payload: Int) throws {
        var configuration = EngineConfiguration.test()
        configuration.largeUDPPayload = payload
        #expect(throws: EngineError.self) { try Engine(configuration) }
    }

    @Test(arguments: ["127.0.0.1:0", "0.0.0.0:0"])
    func `it holds over sockets too, and the networks may change meanwhile`(_ listen: String) throws {
        let server = try TestEngine([listen])
        try server.publish(names)
        let address = try server.address(host: "127.0.0.1")
        func ask(from host: String = "127.0.0.1") throws -> TestReply {
            try TestSocket.udp(address, from: SocketAddress("\(host):0")).ask(plain)
        }
        #expect(try ask().isTruncated)
        server.engine.reconfigure(largeUDPNetworks: [IPNetwork(.v4(0x7F00_0001), prefixLength: 32)])
        // Each batch contains long and short replies, one behind the other.
        for _ in 0..<20 {
            let sockets = try (0..<80).map {
                try TestSocket.udp(address, from: SocketAddress("127.0.0.\(1 + $0 % 2):0"))
            }
            for socket in sockets { try socket.send(try plain.octets) }
            for (number, socket) in sockets.enumerated() {
                let reply = try TestReply(try socket.receive())
                #expect(reply.isTruncated == (number % 2 == 1))
                #expect(reply.isTruncated ? reply.octets.count <= 512 : reply.services.count == 64)
            }
        }
        server.engine.reconfigure(largeUDPNetworks: [])
        #expect(try ask().isTruncated)
    }
}
