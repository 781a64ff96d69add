/// Packs RRsets: makes their records with ldns, and notes the place of each.
struct RRsetPacker {
    /// The most records of one RRset: far more than a message holds, yet indices and offsets stay small.
    static let maximumRecords = 1 << 20

    private let origin: [UInt8]
    /// The zone whose `ns` and `hostmaster` SOA and NS name.
    private let server: [UInt8]
    /// The TTL of synthesized addresses, in seconds.
    private let addressTTL: UInt32
    private let targets: ServiceTargets
    private let templates: RecordTemplates
    /// The last packed RRset of each type: the names of a service usually have the same ones.
    private var last: [RecordType: (rrset: RRset, packed: PackingRRset)] = [:]

    /// - Parameters:
    ///   - origin: the zone's name in wire form.
    ///   - server: the name of the zone whose `ns` and `hostmaster` SOA and NS name, in wire form.
    ///   - addressTTL: the TTL of synthesized addresses, in seconds.
    ///   - targets: how SRV records name their targets.
    init(
        origin: [UInt8], server: [UInt8], addressTTL: UInt32, targets: ServiceTargets
    ) throws(EngineError) {
        self.addressTTL = addressTTL
        self.targets = targets
        self.origin = origin
        self.server = server
        templates = try RecordTemplates(origin: origin, targets: targets)
    }

    /// Packs `rrset`, which belongs to `name` (used only for the error).
    ///
    /// - Parameter strategy: the one by which it rotates.
    /// - Throws: ``EngineError/invalidRecords(name:)`` if it is empty, too long, or has a record of another type.
    mutating func pack(
        _ rrset: RRset, strategy: RotationStrategyName, name: String
    ) throws(EngineError) -> PackingRRset {
        if let last = last[rrset.type], last.packed.strategy == strategy, last.rrset == rrset { return last.packed }
        guard !rrset.records.isEmpty, rrset.records.count <= Self.maximumRecords, rrset.ttl >= 1 else {
            throw .invalidRecords(name: name)
        }
        var packed = PackingRRset(type: rrset.type, strategy: strategy)
        packed.reserveCapacity(rrset.records.count, service: PackedRecord.target + 38 + origin.count)
        var targets: Set<IPAddress> = []
        for record in rrset.records {
            // A target that several records share has only one RRset in ADDITIONAL.
            var isFirst = true
            if case .service(_, _, _, let target) = record.data { isFirst = targets.insert(target).inserted }
            guard append(record, ttl: rrset.ttl, weightDivisor: 1, hasAdditional: isFirst, to: &packed) else {
                throw .invalidRecords(name: name)
            }
        }
        last[rrset.type] = (rrset, packed)
        return packed
    }

    /// Packs one more record.
    ///
    /// - Parameters:
    ///   - ttl: in seconds.
    ///   - weightDivisor: the divisor of an SRV record's weight.
    ///   - hasAdditional: whether an SRV record puts its target's address into ADDITIONAL.
    /// - Returns: `false` if the record does not fit the type.
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
        if packed.strategy.usesWeights { packed.weights.append(record.weight) }
        return true
    }

    /// The packed parts of answers for names that are in no snapshot.
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
    /// Nobody transfers this zone, so refresh, retry and expire have customary values without effect.
    func packStartOfAuthority(ttl: UInt32, serial: UInt32, minimum: UInt32) throws(EngineError) -> [UInt8] {
        try RecordPacker(
            .soa, ttl: ttl,
            [
                .name(Self.label("ns") + server), .name(Self.label("hostmaster") + server),
                .uint32(serial), .uint32(3600), .uint32(600), .uint32(86400), .uint32(minimum),
            ]
        ).packed()
    }

    /// The same record for the AUTHORITY section of negative answers (RFC 2308 §3). Its names are compressed (RFC 1035
    /// §4.1.4), so that it fits behind any question.
    ///
    /// - Parameter ttl: in seconds.
    func packNegativeSOA(ttl: UInt32, serial: UInt32, minimum: UInt32) throws(EngineError) -> NegativeSOA {
        let whole = try packStartOfAuthority(ttl: ttl, serial: serial, minimum: minimum)
        let pointer: [UInt8] = [0, 0]
        let isServedHere = server == origin
        // If the server is in another zone, RNAME points into MNAME, behind its `ns`.
        let rdata =
            Self.label("ns") + (isServedHere ? pointer : server) + Self.label("hostmaster") + pointer + whole.suffix(20)
        // Owner, type, class and TTL stay the same.
        let octets = whole.prefix(10) + [0, UInt8(rdata.count)] + rdata
        return NegativeSOA(
            octets: PackedOctets([UInt8](octets)), serverByteCount: isServedHere ? pointer.count : server.count,
            isServedHere: isServedHere)
    }

    private static func label(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + text.utf8 }
}

extension IPAddress {
    /// The type of a record with this address.
    public var recordType: RecordType { isIPv4 ? .a : .aaaa }

    /// The wire form of `<hex>.addr.<origin>`, the name that is synthesized for this address.
    func wireName(in origin: [UInt8]) -> [UInt8] {
        var name: [UInt8] = [isIPv4 ? 8 : 32]
        forEachHexDigit { name.append($0) }
        return name + SynthesizedAddress.label + origin
    }

    /// The address itself as a name in wire form: four labels, or one for IPv6.
    var literalWireName: [UInt8] {
        // One label has room for the longest text of an IPv6 address, 39 octets.
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
