import Testing

@testable import Engine

/// `<hex>.addr.<domain>`: answered without any state.
struct SynthesizedAddressTests {
    @Test(arguments: [
        ("0a000001", IPAddress.v4(0x0A00_0001)), ("FFFFFFFF", .v4(0xFFFF_FFFF)), ("00000000", .v4(0)),
        ("fd000000000000000000000000000102", .v6(0xFD00 << 48, 0x102)),
        ("0123456789abcdefFEDCBA9876543210", .v6(0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210)),
    ])
    func `the name has the address that it spells`(_ digits: String, _ address: IPAddress) throws {
        let server = try TestServer()
        let (type, other): (RecordType, RecordType) = address.isIPv4 ? (.a, .aaaa) : (.aaaa, .a)
        let reply = try server.ask("\(digits).addr", type)
        #expect(reply.addresses == [address])
        #expect(reply.answers.map(\.ttl) == [60] && reply.isAuthoritative)
        #expect(try server.ask("\(digits).ADDR", type).addresses == [address])
        #expect(try server.ask("\(digits).addr", other).outcome == .noData)
        #expect(try server.ask("\(digits).addr", .srv).outcome == .noData)
    }

    @Test(arguments: [
        "0a00000", "0a0000011", "0a00000g", "0a00000:", "0a00000/", "0a00000@", "0a00000`", "10.0.0.1", "x.0a000001",
        "fd00000000000000000000000000010", "fd00000000000000000000000000010x", "fd0000000000000000000000000001022",
    ])
    func `any other name below addr is NXDOMAIN`(_ label: String) throws {
        for type: RecordType in [.a, .aaaa, .srv, .any] {
            #expect(try TestServer().ask("\(label).addr", type).outcome == .nameError)
        }
    }

    @Test func `a target's name is the one that is synthesized`() throws {
        var random = SeededRandom(4)
        let server = try TestServer()
        for _ in 0..<200 {
            let addresses = [
                IPAddress.v4(UInt32.random(in: 0...UInt32.max, using: &random)), .v6(random.next(), random.next()),
            ]
            try server.publish(["web": .records([.srv(addresses)])])
            let reply = try server.ask("web", .srv)
            for (service, address) in zip(reply.services.sorted { $0.port < $1.port }, addresses) {
                #expect(service.target == address.wireName(in: try wireName(TestServer.origin)))
                let digits = String(decoding: service.target.dropFirst().prefix(Int(service.target[0])), as: UTF8.self)
                #expect(try server.ask("\(digits).addr", address.isIPv4 ? .a : .aaaa).addresses == [address])
            }
        }
    }
}
