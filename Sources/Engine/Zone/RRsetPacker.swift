/// Packs RRsets: their records with ldns, and where each of them is.
struct RRsetPacker {
    /// Records of one RRset at most: far more than a message holds, but indices and offsets stay small.
    static let maximumRecords = 1 << 20

    private let origin: [UInt8]
    /// The zone whose `ns` and `hostmaster` are named.
    private let server: [UInt8]
    private let usesWeights: Bool
    /// Of synthesized addresses, in seconds.
    private let addressTTL: UInt32
    private let targets: ServiceTargets
    private let templates: RecordTemplates
    /// The RRsets of each type packed last: a service's names mostly have the same ones.
    private var last: [RecordType: (rrset: RRset, packed: PackingRRset)] = [:]

    /// - Parameters:
    ///   - origin: the zone's name in wire form.
    ///   - server: that of the zone whose `ns` and `hostmaster` are named.
    ///   - addressTTL: of synthesized addresses, in seconds.
    ///   - targets: how SRV records name their targets.
    init(
        origin: [UInt8], server: [UInt8], usesWeights: Bool, addressTTL: UInt32, targets: ServiceTargets
    ) throws(EngineError) {
        self.addressTTL = addressTTL
        self.targets = targets
        self.origin = origin
        self.server = server
        self.usesWeights = usesWeights
        templates = try RecordTemplates(origin: origin, targets: targets)
    }

    /// Packs `rrset`, which belongs to `name` (for the error alone).
    ///
    /// - Throws: ``EngineError/invalidRecords(name:)`` when it is empty, too long, or holds a record of another type.
    mutating func pack(_ rrset: RRset, name: String) throws(EngineError) -> PackingRRset {
        if let last = last[rrset.type], last.rrset == rrset { return last.packed }
        guard !rrset.records.isEmpty, rrset.records.count <= Self.maximumRecords, rrset.ttl >= 1 else {
            throw .invalidRecords(name: name)
        }
        var packed = PackingRRset(type: rrset.type)
        packed.reserveCapacity(rrset.records.count, service: PackedRecord.target + 38 + origin.count)
        var targets: Set<IPAddress> = []
        for record in rrset.records {
            // A target that two records share has one RRset in ADDITIONAL.
            var isFirst = true
            if case .service(_, _, _, let target) = record.data { isFirst = targets.insert(target).inserted }
            guard append(record, ttl: rrset.ttl, weightDivisor: 1, hasAdditional: isFirst, to: &packed) else {
                throw .invalidRecords(name: name)
            }
        }
        last[rrset.type] = (rrset, packed)
        return packed
    }

    /// Packs one record more.
    ///
    /// - Parameters:
    ///   - ttl: in seconds.
    ///   - weightDivisor: what an SRV record's weight is divided by.
    ///   - hasAdditional: whether an SRV record's target has its address in ADDITIONAL because of it.
    /// - Returns: `false` when the record does not fit the type.
    func append(
        _ record: Record, ttl: UInt32, weightDivisor: UInt16, hasAdditional: Bool, to packed: inout PackingRRset
    ) -> Bool {
        switch record.data {
        case .address(let address):
            guard address.recordType == packed.type else { return false }
            templates.append(address, ttl: ttl, to: &packed.answer)
        case .service(let priority, let weight, let port, let target):
            guard packed.type == .srv else { return false }
            var slot = ServiceSlot(
                answer: UInt32(packed.answer.count), additional: UInt32(packed.additional.count),
                additionalByteCount: 0)
            templates.append(
                priority: priority, weight: weight / max(weightDivisor, 1), port: port, target: target, ttl: ttl,
                to: &packed.answer)
            if hasAdditional, targets == .addressNames {
                templates.append(target, ttl: addressTTL, to: &packed.additional)
                slot.additionalByteCount = UInt32(packed.additional.count) - slot.additional
            }
            packed.services.append(slot)
        case .name(let text):
            guard packed.type == .ptr, let name = RecordPacker.wireName(text),
                let record = try? RecordPacker(.ptr, ttl: ttl, [.name(name)]).packed()
            else { return false }
            packed.services.append(
                ServiceSlot(
                    answer: UInt32(packed.answer.count), additional: UInt32(packed.additional.count),
                    additionalByteCount: 0))
            packed.answer += record
        }
        packed.count += 1
        if usesWeights { packed.weights.append(record.weight) }
        return true
    }

    /// What the answers for names are made of that are in no snapshot.
    func packConstants() -> ZoneConstants {
        var address4: [UInt8] = []
        var address6: [UInt8] = []
        templates.append(.v4(0), ttl: addressTTL, to: &address4)
        templates.append(.v6(0, 0), ttl: addressTTL, to: &address6)
        return ZoneConstants(
            origin: origin, address4: address4.dropLast(4), address6: address6.dropLast(16),
            hasSynthesizedNames: server == origin)
    }

    /// The zone's NS record.
    func packNameServer(ttl: UInt32) throws(EngineError) -> [UInt8] {
        try RecordPacker(.ns, ttl: ttl, [.name(Self.label("ns") + server)]).packed()
    }

    /// The zone's SOA record (RFC 1035 §3.3.13).
    ///
    /// Nobody transfers this zone, so that refresh, retry and expire are customary values without an effect.
    func packStartOfAuthority(ttl: UInt32, serial: UInt32, minimum: UInt32) throws(EngineError) -> [UInt8] {
        try RecordPacker(
            .soa, ttl: ttl,
            [
                .name(Self.label("ns") + server), .name(Self.label("hostmaster") + server),
                .uint32(serial), .uint32(3600), .uint32(600), .uint32(86400), .uint32(minimum),
            ]
        ).packed()
    }

    /// The same record for the AUTHORITY section of negative answers (RFC 2308 §3), with its names compressed (RFC 1035
    /// §4.1.4), so that it fits behind any question.
    ///
    /// - Parameter ttl: in seconds.
    func packNegativeSOA(ttl: UInt32, serial: UInt32, minimum: UInt32) throws(EngineError) -> NegativeSOA {
        let whole = try packStartOfAuthority(ttl: ttl, serial: serial, minimum: minimum)
        let pointer: [UInt8] = [0, 0]
        let isServedHere = server == origin
        // Of a server in another zone RNAME points to MNAME behind its `ns`.
        let rdata =
            Self.label("ns") + (isServedHere ? pointer : server) + Self.label("hostmaster") + pointer + whole.suffix(20)
        // Owner, type, class and TTL are as they were.
        let octets = whole.prefix(10) + [0, UInt8(rdata.count)] + rdata
        return NegativeSOA(
            octets: PackedOctets([UInt8](octets)), serverByteCount: isServedHere ? pointer.count : server.count,
            isServedHere: isServedHere)
    }

    private static func label(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + text.utf8 }
}

extension IPAddress {
    /// The type of a record that holds this address.
    var recordType: RecordType { isIPv4 ? .a : .aaaa }

    /// The wire form of `<hex>.addr.<origin>`, the name that is synthesized for this address.
    func wireName(in origin: [UInt8]) -> [UInt8] {
        var name: [UInt8] = [isIPv4 ? 8 : 32]
        forEachHexDigit { name.append($0) }
        return name + SynthesizedAddress.label + origin
    }

    /// The wire form of the address as a name: four labels, or one for IPv6.
    var literalWireName: [UInt8] {
        // A label has room for the longest text of an IPv6 address, 39 octets.
        let labels = isIPv4 ? description.split(separator: ".") : [description[...]]
        return labels.flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + $0.utf8 } + [0]
    }

    /// Calls `body` with each of the 8 or 32 hexadecimal digits, as lower-case ASCII.
    func forEachHexDigit(_ body: (UInt8) -> Void) {
        func digits(_ value: UInt64, _ count: Int) {
            for place in (0..<count).reversed() {
                let digit = UInt8(truncatingIfNeeded: value >> (4 * UInt64(place)) & 15)
                body(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
            }
        }
        switch self {
        case .v4(let value): digits(UInt64(value), 8)
        case .v6(let high, let low):
            digits(high, 16)
            digits(low, 16)
        }
    }
}
