import Testing

@testable import Engine

/// What queries get, as decided before anything is written.
struct OutcomeTests {
    /// One query, asked alone, over TCP from 127.0.0.1 unless the row says otherwise.
    private struct Row: Sendable, CustomStringConvertible {
        var name: String
        var type = RecordType.a
        var recordClass: UInt16 = 1
        var recursionDesired = true
        var client = IPAddress.v4(0x7F00_0001)
        /// Whether there is an upstream.
        var isForwarding = true
        var outcome: String

        var description: String { "\(name) \(type.rawValue) \(recordClass) RD \(recursionDesired) \(client)" }
    }

    private static let stranger = IPAddress.v4(0xC000_0201)

    private static let rows: [Row] = [
        Row(name: "web.service.kong", outcome: "2 records of type 1"),
        Row(name: "WEB.Service.Kong", type: .srv, outcome: "3 records of type 33"),
        Row(name: "web.service.kong", recursionDesired: false, outcome: "2 records of type 1"),
        Row(name: "web.service.kong", client: stranger, outcome: "2 records of type 1"),
        Row(name: "big.service.kong", outcome: "60 records of type 1"),
        Row(name: "web.service.kong", type: .aaaa, outcome: "NODATA of the zone at 16"),
        Row(name: "web.service.kong", type: .any, outcome: "a record of type 13"),
        Row(name: "nothing.service.kong", outcome: "NXDOMAIN of the zone at 20"),
        Row(name: "nothing.service.kong", type: .any, outcome: "NXDOMAIN of the zone at 20"),
        Row(name: "a.web.service.kong", outcome: "NXDOMAIN of the zone at 18"),
        Row(name: "broken.service.kong", outcome: "no instance"),
        Row(name: "broken.service.kong", type: .any, outcome: "no instance"),
        Row(name: "service.kong", type: .soa, outcome: "1 records of type 6"),
        Row(name: "service.kong", outcome: "NODATA of the zone at 12"),
        Row(name: "0a000001.addr.service.kong", outcome: "10.0.0.1 in zone 0"),
        Row(name: "0A000001.ADDR.service.kong", outcome: "10.0.0.1 in zone 0"),
        Row(name: "0a000001.addr.service.kong", type: .aaaa, outcome: "NODATA of the zone at 26"),
        Row(name: "0a000001.addr.service.kong", type: .any, outcome: "a record of type 13"),
        Row(name: "addr.service.kong", outcome: "NODATA of the zone at 17"),
        Row(name: "x.addr.service.kong", outcome: "NXDOMAIN of the zone at 19"),
        Row(name: "a.0a000001.addr.service.kong", outcome: "NXDOMAIN of the zone at 28"),
        Row(name: "7f000001.addr.service.kong", outcome: "127.0.0.1 in zone 0"),
        Row(name: "7f000001.addr.service.kong", client: stranger, outcome: "NXDOMAIN of the zone at 26"),
        Row(name: "localhost", outcome: "a record of type 1"),
        Row(name: "x.localhost", type: .aaaa, outcome: "a record of type 28"),
        Row(name: "x.localhost", type: .txt, isForwarding: false, outcome: "NODATA of the zone at 14"),
        Row(name: "x.invalid", outcome: "NXDOMAIN of the zone at 14"),
        Row(name: "resolver.arpa", outcome: "NODATA of the zone at 12"),
        Row(name: "localhost", client: stranger, outcome: "REFUSED, reason 18"),
        Row(name: "example.com", outcome: "outside"),
        Row(name: "xservice.kong", outcome: "outside"),
        Row(name: "example.com", recursionDesired: false, outcome: "REFUSED, reason 20"),
        Row(name: "example.com", client: stranger, outcome: "REFUSED, reason 18"),
        Row(name: "example.com", isForwarding: false, outcome: "REFUSED, reason 20"),
        Row(name: "version.bind", type: .txt, recordClass: 3, outcome: "a record of type 16"),
        Row(name: "version.bind", type: .a, recordClass: 3, outcome: "REFUSED, reason 20"),
        Row(name: "web.service.kong", recordClass: 3, outcome: "REFUSED, reason 20"),
        Row(name: "web.service.kong", recordClass: 255, outcome: "2 records of type 1"),
        Row(name: "example.com", recordClass: 255, outcome: "REFUSED, reason 20"),
        Row(name: "service.kong", type: .axfr, outcome: "REFUSED, reason 18"),
        Row(name: "web.service.kong", type: .axfr, outcome: "error 9"),
        Row(name: "web.service.kong", type: .opt, outcome: "NODATA of the zone at 16"),
        Row(name: "example.com", type: .opt, outcome: "error 1"),
    ]

    private func makeRules(
        isForwarding: Bool = true, largeUDP: [IPNetwork] = []
    ) throws -> AnswerRules {
        let configuration = EngineConfiguration.test()
        var builder = try SnapshotBuilder(configuration.zones, strategy: configuration.strategy)
        let names: [String: NameContent] = [
            "web": .records([.a(2), .srv((0..<3).map(IPAddress.ten))]), "big": .records([.a(60)]), "broken": .failure,
        ]
        try builder.apply(
            ZoneUpdate(serial: 2, changes: names.map { NameChange(name: $0.key, content: $0.value) }))
        let loopback = IPNetwork(.v4(0x7F00_0000), prefixLength: 8)
        return AnswerRules(
            snapshot: builder.snapshot, udpPayload: 1232, largeUDP: LargeUDP(networks: largeUDP, payload: 4096),
            outside: OutsideAccess(AccessList([loopback]), isOn: isForwarding),
            fixed: try FixedAnswers(version: "1", ttl: 5), special: try SpecialNames(),
            addresses: RegistrableAddresses())
    }

    /// What a message gets, in words; `nil` means silence.
    private func decide(
        _ rules: AnswerRules, _ message: [UInt8], over transport: Transport = .tcp,
        from client: IPAddress = .v4(0x7F00_0001)
    ) -> (frame: ReplyFrame, outcome: String)? {
        let query = rules.read(message.rawSpan, over: transport)
        guard let frame = rules.frame(for: query, from: client) else { return nil }
        let outcome = rules.outcome(of: query, in: message.rawSpan, frame: frame, from: client)
        return (frame, words(outcome, frame))
    }

    private func words(_ outcome: Outcome, _ frame: ReplyFrame) -> String {
        switch outcome {
        case .records(let records): "\(records.rrset.count) records of type \(records.rrset.type.rawValue)"
        // The type stands behind the pointer that is the record's owner.
        case .record(let record): "a record of type \(record.span.uint16(at: 2) ?? 0)"
        case .address(let address, let zone): "\(address) in zone \(zone)"
        case .nameError(_, let offset): "NXDOMAIN of the zone at \(offset)"
        case .noData(_, let offset): "NODATA of the zone at \(offset)"
        case .noInstance: "no instance"
        case .error(let code): "error \(code)"
        case .refused(let reason): "REFUSED, reason \(reason.rawValue)"
        case .unknownKey: "unknown key"
        case .outside: "outside"
        }
    }

    @Test(arguments: rows)
    private func `a query gets what the table says, however often it is asked`(_ row: Row) throws {
        let rules = try makeRules(isForwarding: row.isForwarding)
        var query = TestQuery(row.name, row.type)
        query.recordClass = row.recordClass
        query.recursionDesired = row.recursionDesired
        for _ in 0..<3 {
            for message in [try query.octets, try query.offering(payload: 1232).octets] {
                for transport in [Transport.udp, .tcp] {
                    #expect(decide(rules, message, over: transport, from: row.client)?.outcome == row.outcome)
                }
            }
        }
    }

    @Test func `a fault in a message counts before what the message asks for`() throws {
        let rules = try makeRules()
        let query = TestQuery("web.service.kong")
        var update = query
        update.opcode = 5
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        for (message, outcome) in [
            (try query.octets(replacing: [5: 0]), "error 1"), (try update.octets(replacing: [5: 0]), "error 4"),
            (try query.octets(replacing: [:], appending: [0]), "error 1"),
            (try query.octets(replacing: [11: 2], appending: opt + opt), "error 1"),
            (try query.offering(payload: 1232, version: 1).octets, "error 16"),
            (try update.offering(payload: 1232, version: 1).octets, "error 16"), (try update.octets, "error 4"),
            (try TestQuery("service.kong", .ixfr).octets(replacing: [:], appending: [0]), "error 1"),
        ] {
            #expect(decide(rules, message)?.outcome == outcome, "\(message)")
        }
        #expect(decide(rules, [UInt8](try query.octets.prefix(11))) == nil)
        #expect(decide(rules, try query.octets(replacing: [2: 0x81])) == nil)
    }

    @Test func `the frame has the limit and the flags of the reply, and whether it has OPT`() throws {
        let rules = try makeRules()
        let query = TestQuery("web.service.kong")
        func frame(
            _ query: TestQuery, over transport: Transport = .udp, from client: IPAddress = .v4(0x7F00_0001),
            _ rules: AnswerRules? = nil
        ) throws -> ReplyFrame {
            try #require(decide(try rules ?? makeRules(), try query.octets, over: transport, from: client)).frame
        }
        for (payload, limit) in [(nil, 512), (1, 512), (512, 512), (700, 700), (1232, 1232), (65535, 1232)] {
            let asked = payload.map { query.offering(payload: UInt16($0)) } ?? query
            let udp = try frame(asked)
            #expect(udp.limit == limit && udp.reserved == (payload == nil ? 0 : 11))
            #expect(try frame(asked, over: .tcp).limit == 65535)
        }
        let large = try makeRules(largeUDP: [IPNetwork(.v4(0x7F00_0000), prefixLength: 8)])
        #expect(try frame(query, large).limit == 4096)
        #expect(try frame(query, from: Self.stranger, large).limit == 512)
        #expect(try frame(query.offering(payload: 2000), large).limit == 2000)
        #expect(try frame(query).flags == 0x8180)
        #expect(try frame(query, from: Self.stranger).flags == 0x8100)
        #expect(try frame(query, try makeRules(isForwarding: false)).flags == 0x8100)
        #expect(try frame(query.offering(payload: 512, dnssecOK: true)).opt?.dnssecOK == true)
        #expect(try frame(query.offering(payload: 512)).opt?.payload == 1232)
        #expect(try frame(query).opt == nil && frame(query).questionEnd == 34)
        // For other zones or settings there are other rules; the old ones stay as they are.
        let narrow = rules.with(outside: OutsideAccess(AccessList([]), isOn: true))
        #expect(try frame(query, narrow).flags == 0x8100 && frame(query, rules).flags == 0x8180)
    }
}
