import Testing

@testable import Engine

/// Several zones. The one with the longest matching origin answers.
struct ZonesTests {
    private static let reverse = ["10.in-addr.arpa", "1.10.in-addr.arpa", "d.f.ip6.arpa"]

    private func makeResponder(strategy: RotationStrategyName = .roundRobin) throws -> TestZones {
        var configuration = EngineConfiguration.test(strategy: strategy)
        configuration.otherZones = Self.reverse.map {
            ZoneConfiguration(origin: $0, ttl: 60, negativeTTL: 3, nameServerAddresses: [], server: "service.kong")
        }
        return try TestZones(configuration)
    }

    private func pointers(_ reply: TestReply) -> [[UInt8]] {
        reply.answers.filter { $0.type == RecordType.ptr.rawValue }.map(\.data)
    }

    private static func ptr(_ names: [String]) -> NameContent {
        .records([RRset(type: .ptr, ttl: 7, records: names.map { Record(.name($0)) })])
    }

    @Test(arguments: RotationStrategyName.allCases)
    func `the zone below answers, not the one above`(strategy: RotationStrategyName) throws {
        let zones = try makeResponder(strategy: strategy)
        try zones.publish([
            NameChange(name: "web", content: .records([.a(1)])),
            NameChange(zone: 1, name: "4.3.2", content: Self.ptr(["orders.service.kong", "longer-name.service.kong"])),
            NameChange(zone: 2, name: "4.3", content: Self.ptr(["web.service.kong"])),
        ])
        let above = try zones.ask("4.3.2.10.in-addr.arpa", .ptr)
        #expect(
            Set(pointers(above))
                == [try wireName("orders.service.kong"), try wireName("longer-name.service.kong")])
        #expect(above.isAuthoritative && above.answers.allSatisfy { $0.ttl == 7 })
        #expect(try pointers(zones.ask("4.3.1.10.IN-ADDR.arpa", .ptr)) == [wireName("web.service.kong")])
        // The zone above has that name too, but is not asked for it.
        try zones.publish([NameChange(zone: 1, name: "9.9.1", content: Self.ptr(["wrong.service.kong"]))])
        #expect(try zones.ask("9.9.1.10.in-addr.arpa", .ptr).outcome == .nameError)
        #expect(try zones.ask("web.service.kong", .a).addresses == [.ten(0)])
        #expect(try zones.ask("11.in-addr.arpa", .ptr).outcome == .refused)
        #expect(try zones.ask("110.in-addr.arpa", .ptr).outcome == .refused)
    }

    @Test func `each zone has its SOA and NS, whose server is elsewhere`() throws {
        let zones = try makeResponder()
        for origin in Self.reverse {
            let soa = try zones.ask(origin, .soa)
            #expect(soa.answers.first?.data.starts(with: try wireName("ns.service.kong")) == true)
            #expect(try zones.ask(origin, .ns).answers.map(\.data) == [wireName("ns.service.kong")])
            for name in ["5.\(origin)", origin, "\(String(repeating: "x", count: 60)).\(origin)"] {
                let reply = try zones.ask(name, .txt)
                #expect(reply.outcome == (name == origin ? .noData : .nameError), "\(name)")
                let negative = try #require(reply.authority.first)
                #expect(negative.owner == (try wireName(origin)) && negative.type == 6 && negative.ttl == 3)
                let names = try wireName("ns.service.kong") + wireName("hostmaster.service.kong")
                #expect(negative.data.starts(with: names), "\(name)")
                #expect(negative.data.suffix(4) == [0, 0, 0, 3])
            }
        }
        #expect(try zones.ask("ns.10.in-addr.arpa", .a).outcome == .nameError)
        #expect(try zones.ask("0a000001.addr.10.in-addr.arpa", .a).outcome == .nameError)
    }

    @Test func `empty non-terminals come and go in their zone alone`() throws {
        let zones = try makeResponder()
        try zones.publish([NameChange(zone: 3, name: "1.2", content: Self.ptr(["web.service.kong"]))])
        #expect(try zones.ask("2.d.f.ip6.arpa", .ptr).outcome == .noData)
        #expect(try zones.ask("2.10.in-addr.arpa", .ptr).outcome == .nameError)
        try zones.publish([NameChange(zone: 3, name: "1.2", content: .absent)])
        #expect(try zones.ask("2.d.f.ip6.arpa", .ptr).outcome == .nameError)
    }

    @Test func `a zone's serial changes with the zone, and the first zone's with each update`() throws {
        let zones = try makeResponder()
        func serials() throws -> [[UInt8]] {
            try (["service.kong"] + Self.reverse).map { origin in
                let data = try #require(try zones.ask(origin, .soa).answers.first?.data)
                return [UInt8](data.suffix(20).prefix(4))
            }
        }
        let before = try serials()
        try zones.publish([NameChange(zone: 2, name: "1", content: Self.ptr(["web.service.kong"]))])
        let after = try serials()
        #expect(zip(before, after).map { $0 != $1 } == [true, false, true, false])
    }

    @Test func `an update that fails in one zone changes none`() throws {
        let zones = try makeResponder()
        for bad in [
            NameChange(zone: 4, name: "1", content: .absent), NameChange(zone: -1, name: "1", content: .absent),
            NameChange(zone: 1, name: "1", content: Self.ptr([""])),
            NameChange(zone: 1, name: "1", content: .records([RRset(type: .a, ttl: 1, records: [Record(.name("x"))])])),
            NameChange(zone: 0, name: "ns", content: .absent),
        ] {
            let good = NameChange(zone: 2, name: "1", content: Self.ptr(["web.service.kong"]))
            #expect(throws: EngineError.self) { try zones.publish([good, bad]) }
            #expect(try zones.ask("1.1.10.in-addr.arpa", .ptr).outcome == .nameError)
        }
    }

    @Test func `two zones of one name, or none, are no configuration`() throws {
        var configuration = EngineConfiguration.test()
        configuration.otherZones = [configuration.zone]
        #expect(throws: EngineError.self) { _ = try InProcessResponder(configuration) }
        #expect(throws: EngineError.self) { _ = try SnapshotBuilder([], strategy: .random) }
    }
}

/// The function from packet to answer, with several zones.
private final class TestZones {
    private var responder: InProcessResponder
    private var serial: UInt32 = 1

    init(_ configuration: EngineConfiguration) throws {
        responder = try InProcessResponder(configuration)
    }

    func publish(_ changes: [NameChange]) throws {
        serial += 1
        try responder.publish(ZoneUpdate(serial: serial, changes: changes))
    }

    func ask(_ name: String, _ type: RecordType) throws -> TestReply {
        let query = try TestQuery(name, type).octets
        let reply = responder.respond(to: query.rawSpan, overTCP: false) { $0.array }
        return try TestReply(try #require(reply))
    }
}
