import Testing

@testable import Engine

/// SRV records whose targets are named by the addresses themselves.
struct LiteralTargetTests {
    private func makeServer(
        _ names: [String: NameContent], strategy: RotationStrategyName = .roundRobin
    ) throws -> TestServer {
        var configuration = EngineConfiguration.test(strategy: strategy)
        configuration.zone.serviceTargets = .literals
        return try TestServer(names, configuration)
    }

    @Test(arguments: [
        (IPAddress.v4(0x0A00_0001), "10.0.0.1"), (.v4(0xDFFF_FFFF), "223.255.255.255"), (.v4(0x0100_0000), "1.0.0.0"),
    ])
    func `an IPv4 address has four labels`(_ address: IPAddress, _ text: String) throws {
        let reply = try makeServer(["web": .records([.srv([address])])]).ask("web", .srv)
        #expect(reply.services.map(\.target) == [try wireName(text)])
        #expect(reply.services == [try #require(reply.services.first)] && reply.services[0].port == 1)
        #expect(reply.services[0].priority == 1 && reply.services[0].weight == 2)
        #expect(reply.additional.isEmpty && reply.isAuthoritative)
    }

    @Test(arguments: [
        ("fd00::1", IPAddress.v6(0xFD00 << 48, 1)), ("::1", .v6(0, 1)),
        ("2123:4567:89ab:cdef:fedc:ba98:7654:3210", .v6(0x2123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210)),
    ])
    func `an IPv6 address is one label`(_ text: String, _ address: IPAddress) throws {
        let reply = try makeServer(["web": .records([.srv([address])])]).ask("web", .srv)
        #expect(reply.services.map(\.target) == [[UInt8(text.utf8.count)] + text.utf8 + [0]])
        #expect(reply.additional.isEmpty)
    }

    @Test(arguments: RotationStrategyName.allCases, [false, true])
    func `order, TC and whole records are as with other targets`(
        _ strategy: RotationStrategyName, isList: Bool
    ) throws {
        // The targets' names have all kinds of lengths.
        let targets = (0..<300).map { $0 % 3 == 0 ? IPAddress.v6(0xFD00 << 48, 1 << (UInt64($0) % 60)) : .ten($0 * 97) }
        for count in [1, 2, 7, 30, 300] {
            let set = RRset.srv(Array(targets.prefix(count)))
            let server = try makeServer(
                ["web": isList ? .changed([.whole(set)]) : .records([set])], strategy: strategy)
            let names = targets.prefix(count).map(\.literalWireName)
            for start in 0..<min(2 * count, 40) {
                let reply = try server.ask("web", .srv, overTCP: true)
                let ports = reply.services.map { Int($0.port) - 1 }
                #expect(ports.count == count && Set(ports).count == count && reply.additional.isEmpty)
                if strategy == .roundRobin { #expect(ports.first == start % count) }
                #expect(reply.services.map(\.target) == ports.map { names[$0] })
            }
            let short = try server.ask("web", .srv)
            #expect(short.octets.count <= 512 && short.additional.isEmpty)
            #expect(short.isTruncated == (short.services.count < count) && short.isTruncated == (count > 10))
        }
    }

    @Test func `addresses' names are answered all the same`() throws {
        let server = try makeServer(["web": .records([.srv([.ten(1)])])])
        #expect(try server.ask("0a000001.addr").addresses == [.ten(1)])
    }
}
