import Engine

/// The zone that is fuzzed: small and large RRsets, mixed families, names below names, a failure.
enum FuzzedZone {
    static let origin = "service.kong"
    static let udpPayload = 1232

    /// What each name has, by its labels above the origin.
    static let contents: [String: NameContent] = [
        "web": .records([addresses4(4), addresses6(2), services(3, and: 2)]),
        "_web._tcp": .records([services(3, and: 2)]),
        "v1.web": .records([addresses4(1), services(1, and: 0)]),
        "one": .records([addresses4(1), addresses6(1), services(1, and: 0)]),
        "six": .records([addresses6(40), services(0, and: 40)]),
        "big": .records([addresses4(60), services(30, and: 30)]),
        "huge": .records([addresses4(4100), addresses6(2400), services(700, and: 600)]),
        "empty": .records([]),
        "broken": .failure,
        "a.b.c.d": .records([addresses4(2)]),
    ]

    static func makeResponder(_ strategy: RotationStrategyName) throws -> InProcessResponder {
        var responder = try InProcessResponder(
            EngineConfiguration(
                listen: [], workers: 1, udpPayload: udpPayload, strategy: strategy,
                zone: ZoneConfiguration(
                    origin: origin, ttl: 5, negativeTTL: 1,
                    nameServerAddresses: [.v4(0x7F00_0001), .v6(0, 1)]),
                version: "kong-discovery"))
        let changes = contents.map { NameChange(name: $0.key, content: $0.value) }
        try responder.publish(ZoneUpdate(serial: 1, changes: changes))
        return responder
    }

    private static func addresses4(_ count: UInt32) -> RRset {
        RRset(type: .a, ttl: 5, records: (0..<count).map { Record(.address(.v4(0x0A00_0000 + $0)), weight: $0 % 5) })
    }

    private static func addresses6(_ count: UInt64) -> RRset {
        RRset(
            type: .aaaa, ttl: 7,
            records: (0..<count).map { Record(.address(.v6(0xFD00 << 48, $0)), weight: UInt32($0 % 3)) })
    }

    /// IPv4 and IPv6 targets in turn; every fourth record has the target of the first, with another port.
    private static func services(_ count4: UInt32, and count6: UInt64) -> RRset {
        var records: [Record] = []
        for index in 0..<max(UInt64(count4), count6) {
            let port = UInt16(truncatingIfNeeded: 1 + index)
            if index < UInt64(count4) {
                let target = IPAddress.v4(0x0A00_0000 + (index % 4 == 3 ? 0 : UInt32(index)))
                records.append(Record(.service(priority: 0, weight: 1, port: port, target: target), weight: 2))
            }
            if index < count6 {
                let target = IPAddress.v6(0xFD00 << 48, index % 4 == 3 ? 0 : index)
                records.append(Record(.service(priority: 1, weight: 3, port: port, target: target), weight: 1))
            }
        }
        return RRset(type: .srv, ttl: 5, records: records)
    }
}
