import Testing

@testable import Engine

/// `<hex>.addr.<domain>` is answered without any state.
struct SynthesizedAddressTests {
    @Test(arguments: [
        ("0a000001", IPAddress.v4(0x0A00_0001)), ("DFFFFFFF", .v4(0xDFFF_FFFF)), ("01000000", .v4(0x0100_0000)),
        ("7f000001", .v4(0x7F00_0001)), ("00000000000000000000000000000001", .v6(0, 1)),
        ("fd000000000000000000000000000102", .v6(0xFD00 << 48, 0x102)),
        ("2123456789abcdefFEDCBA9876543210", .v6(0x2123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210)),
    ])
    func `the name has the address that it spells`(_ digits: String, _ address: IPAddress) throws {
        let server = try TestServer()
        let (type, other): (RecordType, RecordType) = address.isIPv4 ? (.a, .aaaa) : (.aaaa, .a)
        let reply = try server.ask("\(digits).addr", type)
        #expect(reply.addresses == [address])
        #expect(reply.answers.map(\.ttl) == [86_400] && reply.isAuthoritative)
        #expect(try server.ask("\(digits).ADDR", type).addresses == [address])
        #expect(try server.ask("\(digits).addr", other).outcome == .noData)
        #expect(try server.ask("\(digits).addr", .srv).outcome == .noData)
    }

    @Test(arguments: [
        "00000000", "00010203", "a9fea9fe", "e0000001", "f0000001", "ffffffff", "00000000000000000000000000000000",
        "000000000000000000000000c0000201", "00000000000000000000ffff0a000001", "fe800000000000000000000000000001",
        "ff020000000000000000000000000001", "20027f00000100000000000000000001", "0064ff9b0000000000000000a9fea9fe",
    ])
    func `an address that nobody may register has no name`(_ digits: String) throws {
        for type: RecordType in [.a, .aaaa, .srv, .any] {
            #expect(try TestServer().ask("\(digits).addr", type).outcome == .nameError)
        }
    }

    @Test func `an address has a TTL of its own, wherever it is`() throws {
        var configuration = EngineConfiguration.test()
        configuration.zone.addressTTL = 604_800
        let server = try TestServer(configuration)
        let targets = (0..<300).map { $0 % 3 == 0 ? IPAddress.unique($0) : .ten($0) }
        // There are few records, many records given whole, and many in a list whose own TTL changes.
        try server.publish([
            "few": .records([.srv(Array(targets.prefix(3)))]), "many": .records([.srv(targets)]),
            "list": .changed([.whole(.srv(targets))]),
        ])
        for ttl: UInt32 in [5, 9] {
            for name in ["few", "many", "list"] {
                let reply = try server.ask(name, .srv, overTCP: true)
                #expect(!reply.additional.isEmpty && reply.additional.allSatisfy { $0.ttl == 604_800 })
                #expect(reply.answers.allSatisfy { $0.ttl == (name == "list" ? ttl : 5) })
            }
            // The block is packed anew for this one, and copied with another TTL for the others.
            let change = RecordChange(sequence: 7, record: RRset.srv([.ten(1000)]).records[0])
            try server.publish(["list": .changed([RRsetChange(type: .srv, ttl: 9, records: [change])])])
        }
        #expect(try server.ask("0a000001.addr").answers.map(\.ttl) == [604_800])
        #expect(try server.ask("fd000000000000000000000000000102.addr", .aaaa).answers.map(\.ttl) == [604_800])
        // This does not concern the server's own name and the zone's records.
        #expect(try server.ask("ns").answers.map(\.ttl) == [60])
        for ttl: UInt32 in [0, 604_801] {
            configuration.zone.addressTTL = ttl
            #expect(throws: EngineError.self) { try TestServer(configuration) }
        }
    }

    @Test func `within networks others have no name`() throws {
        var configuration = EngineConfiguration.test()
        configuration.registrableNetworks = [IPNetwork(.v4(0x0A00_0000), prefixLength: 8)]
        let server = try TestServer(configuration)
        #expect(try server.ask("0a010203.addr", .a).addresses == [.v4(0x0A01_0203)])
        for digits in ["c0a80001", "7f000001"] { #expect(try server.ask("\(digits).addr", .a).outcome == .nameError) }
        #expect(try server.ask("fd000000000000000000000000000001.addr", .aaaa).outcome == .nameError)
    }

    @Test func `loopback addresses are for clients on loopback`() {
        let addresses = RegistrableAddresses()
        for address in [IPAddress.v4(0x7F00_0001), .v6(0, 1)] {
            #expect(addresses.contains(address) { .v4(0x7F01_0203) })
            #expect(addresses.contains(address) { .v6(0, 1) })
            #expect(addresses.contains(address) { .v6(0, 0xFFFF_7F00_0001) })
            #expect(!addresses.contains(address) { .v4(0x0A00_0001) })
            #expect(!addresses.contains(address) { nil })
        }
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
            ].filter { $0.restriction == nil }
            if addresses.isEmpty { continue }
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
