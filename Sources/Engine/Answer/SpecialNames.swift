/// Names outside the zone that are answered here, whatever upstreams would say: the names of this machine (RFC 6761
/// §6.3), those that never exist (§6.4), and those by which a resolver is asked for others that stand for it, of which
/// there are none (RFC 9462 §6.4).
final class SpecialNames: Sendable {
    /// What a zone's names answer.
    enum Content {
        /// The loopback addresses.
        case loopback
        /// NODATA.
        case empty
        /// NXDOMAIN.
        case absent
    }

    /// Where a name was found.
    struct Finding {
        /// What it answers.
        let content: Content
        /// The SOA record of its zone.
        let authority: NegativeSOA.View
        /// Where the name of its zone begins in the question.
        let zoneOffset: UInt16
    }

    private struct Zone {
        let origin: OctetsView
        let authority: NegativeSOA.View
        let content: Content
    }

    /// Seconds that negative answers may be kept, and TTL of all (RFC 6303 §3).
    private static let ttl: UInt32 = 10_800

    /// The zones of these names.
    static let origins = ["localhost", "invalid", "resolver.arpa"]

    /// Keeps alive what the views show.
    private let octets: [PackedOctets]
    private let zones: [3 of Zone]
    /// The packed A record of a name of this machine.
    let address4: OctetsView
    /// The packed AAAA record of a name of this machine.
    let address6: OctetsView

    /// - Throws: ``EngineError/resourceExhausted(_:)`` without memory.
    init() throws(EngineError) {
        var octets: [PackedOctets] = []
        func keep(_ packed: [UInt8]) -> OctetsView {
            let owner = PackedOctets(packed)
            octets.append(owner)
            return owner.view
        }
        func zone(_ name: String, _ content: Content) throws(EngineError) -> Zone {
            let origin = RecordPacker.wireName(name) ?? []
            // The customary SOA of a zone that is served locally (RFC 6303 §3).
            let fields: [RecordPacker.Field] = [
                .name(origin), .name(RecordPacker.wireName("nobody.invalid") ?? []),
                .uint32(1), .uint32(3600), .uint32(1200), .uint32(604_800), .uint32(Self.ttl),
            ]
            let authority = keep(try RecordPacker(.soa, ttl: Self.ttl, fields).packed())
            return Zone(origin: keep(origin), authority: NegativeSOA.View(whole: authority), content: content)
        }
        zones = [
            try zone(Self.origins[0], .loopback), try zone(Self.origins[1], .absent), try zone(Self.origins[2], .empty),
        ]
        address4 = keep(try RecordPacker(.a, ttl: Self.ttl, [.address(IPAddress.v4(0x7F00_0001).octets)]).packed())
        address6 = keep(try RecordPacker(.aaaa, ttl: Self.ttl, [.address(IPAddress.v6(0, 1).octets)]).packed())
        self.octets = octets
    }

    /// Looks whether a name is one of these.
    @inline(__always)
    func find(_ name: RawSpan) -> Finding? {
        for index in zones.indices {
            let origin = zones[index].origin.span
            // Most often this octet tells already: the length of the origin's first label.
            guard let length = name.octet(at: name.byteCount &- origin.byteCount), length == origin.octet(at: 0),
                let position = DomainName.position(of: name, in: origin)
            else { continue }
            return Finding(
                content: zones[index].content, authority: zones[index].authority,
                zoneOffset: position.zoneOffset)
        }
        return nil
    }
}

extension AnswerRules {
    /// What a special name gets.
    func outcome(of type: RecordType, for name: SpecialNames.Finding) -> Outcome {
        switch (name.content, type) {
        case (.loopback, .a): .record(special.address4)
        case (.loopback, .aaaa): .record(special.address6)
        case (.loopback, .any): .record(fixed.any)
        case (.absent, _): .nameError(name.authority, zoneOffset: name.zoneOffset)
        default: .noData(name.authority, zoneOffset: name.zoneOffset)
        }
    }
}
