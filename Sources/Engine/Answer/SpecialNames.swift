/// Names outside the zones that are answered here, whatever upstreams would say: the names of this machine (RFC 6761
/// §6.3), names that never exist (RFC 6761 §6.4), and the names by which clients ask for the resolvers that a server
/// designates, of which there are none here (RFC 9462 §6.4).
final class SpecialNames: Sendable {
    /// The answer for the names of a zone.
    enum Content {
        /// The loopback addresses.
        case loopback
        /// NODATA.
        case empty
        /// NXDOMAIN.
        case absent
    }

    /// The zone in which a name was found.
    struct Finding {
        /// The answer for the name.
        let content: Content
        /// The SOA record of the zone.
        let authority: NegativeSOA.View
        /// The offset of the zone's name in the question.
        let zoneOffset: UInt16
    }

    private struct Zone {
        let origin: OctetsView
        let authority: NegativeSOA.View
        let content: Content
    }

    /// The TTL of all records in seconds, and how long negative answers may be cached (RFC 6303 §3).
    private static let ttl: UInt32 = 10_800

    /// The zones of these names.
    static let origins = ["localhost", "invalid", "resolver.arpa"]

    /// Keeps the views' memory alive.
    private let octets: [PackedOctets]
    private let zones: [3 of Zone]
    /// The packed A record of a name of this machine.
    let address4: OctetsView
    /// The packed AAAA record of a name of this machine.
    let address6: OctetsView

    /// - Throws: ``EngineError/resourceExhausted(_:)`` if there is no memory.
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

    /// Finds the zone of a name; `nil`: it is not a special one.
    @inline(__always)
    func find(_ name: RawSpan) -> Finding? {
        for index in zones.indices {
            let origin = zones[index].origin.span
            // Usually this octet alone decides: it is the length of the origin's first label.
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
    /// Decides the answer for a special name.
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
