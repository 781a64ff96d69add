/// Packs RRsets: their records with ldns, and where each of them is.
struct RRsetPacker {
    /// Records of one RRset at most: far more than a message holds, but indices and offsets stay small.
    static let maximumRecords = 1 << 20

    private let origin: [UInt8]
    private let usesWeights: Bool
    private let address4: RecordPacker
    private let address6: RecordPacker
    private let service4: RecordPacker
    private let service6: RecordPacker
    /// The RRsets of each type packed last: a service's names mostly have the same ones.
    private var last: [RecordType: (rrset: RRset, packed: PackingRRset)] = [:]

    init(origin: [UInt8], usesWeights: Bool) throws(EngineError) {
        self.origin = origin
        self.usesWeights = usesWeights
        func service(_ target: IPAddress) throws(EngineError) -> RecordPacker {
            try RecordPacker(.srv, [.uint16(0), .uint16(0), .uint16(0), .name(target.wireName(in: origin))])
        }
        let none4 = IPAddress.v4(0)
        let none6 = IPAddress.v6(0, 0)
        address4 = try RecordPacker(.a, [.address(none4.octets)])
        address6 = try RecordPacker(.aaaa, [.address(none6.octets)])
        service4 = try service(none4)
        service6 = try service(none6)
    }

    /// Packs `rrset`, which belongs to `name` (for the error alone).
    ///
    /// - Throws: ``EngineError/invalidRecords(name:)`` when it is empty, too long, or holds a record of another type.
    mutating func pack(_ rrset: RRset, name: String) throws(EngineError) -> PackingRRset {
        if let last = last[rrset.type], last.rrset == rrset { return last.packed }
        guard !rrset.records.isEmpty, rrset.records.count <= Self.maximumRecords, rrset.ttl >= 1 else {
            throw .invalidRecords(name: name)
        }
        var packed = PackingRRset(type: rrset.type, stride: 0, count: rrset.records.count, answer: [])
        if usesWeights { packed.weights = rrset.records.map(\.weight) }
        switch rrset.type {
        case .a, .aaaa: try packAddresses(rrset, name: name, into: &packed)
        case .srv: try packServices(rrset, name: name, into: &packed)
        default: throw .invalidRecords(name: name)
        }
        last[rrset.type] = (rrset, packed)
        return packed
    }

    private func packAddresses(_ rrset: RRset, name: String, into packed: inout PackingRRset) throws(EngineError) {
        packed.answer.reserveCapacity(rrset.records.count * 28)
        for record in rrset.records {
            guard case .address(let address) = record.data, address.recordType == rrset.type else {
                throw .invalidRecords(name: name)
            }
            try pack(address, ttl: rrset.ttl, into: &packed.answer)
        }
        packed.stride = UInt16(packed.answer.count / rrset.records.count)
    }

    private func pack(_ address: IPAddress, ttl: UInt32, into output: inout [UInt8]) throws(EngineError) {
        let record = address.isIPv4 ? address4 : address6
        switch address {
        case .v4(let value): record.set(value, inField: 0)
        case .v6(let high, let low):
            record.set(high, inField: 0)
            record.set(low, inField: 0, at: 8)
        }
        record.set(ttl: ttl)
        try record.pack(into: &output)
    }

    private func packServices(_ rrset: RRset, name: String, into packed: inout PackingRRset) throws(EngineError) {
        var targets: Set<IPAddress> = []
        packed.services.reserveCapacity(rrset.records.count)
        packed.answer.reserveCapacity(rrset.records.count * (48 + origin.count))
        packed.additional.reserveCapacity(rrset.records.count * 28)
        for record in rrset.records {
            guard case .service(let priority, let weight, let port, let target) = record.data else {
                throw .invalidRecords(name: name)
            }
            var slot = ServiceSlot(
                answer: UInt32(packed.answer.count), additional: UInt32(packed.additional.count),
                additionalByteCount: 0)
            let service = target.isIPv4 ? service4 : service6
            service.set(priority, inField: 0)
            service.set(weight, inField: 1)
            service.set(port, inField: 2)
            // Only the digits of the target's first label differ, see wireName(in:).
            var offset = 1
            target.forEachHexDigit { digit in
                service.set(digit, inField: 3, at: offset)
                offset += 1
            }
            service.set(ttl: rrset.ttl)
            try service.pack(into: &packed.answer)
            // A target that two records share has one RRset in ADDITIONAL.
            if targets.insert(target).inserted {
                try pack(target, ttl: rrset.ttl, into: &packed.additional)
                slot.additionalByteCount = UInt32(packed.additional.count) - slot.additional
            }
            packed.services.append(slot)
        }
    }

    /// The records of the apex and of names that are answered without any state.
    ///
    /// - Parameter ttl: in seconds.
    func packConstants(ttl: UInt32) throws(EngineError) -> ZoneConstants {
        let any = try RecordPacker(.hinfo, ttl: ttl, [.text("RFC8482"), .text("")]).packed()
        address4.set(ttl: ttl)
        address6.set(ttl: ttl)
        return ZoneConstants(
            origin: origin, address4: try address4.packed().dropLast(4), address6: try address6.packed().dropLast(16),
            any: any)
    }

    /// The zone's NS record.
    func packNameServer(ttl: UInt32) throws(EngineError) -> [UInt8] {
        try RecordPacker(.ns, ttl: ttl, [.name(Self.label("ns") + origin)]).packed()
    }

    /// The zone's SOA record (RFC 1035 §3.3.13).
    ///
    /// Nobody transfers this zone, so that refresh, retry and expire are customary values without an effect.
    func packStartOfAuthority(ttl: UInt32, serial: UInt32, minimum: UInt32) throws(EngineError) -> [UInt8] {
        try RecordPacker(
            .soa, ttl: ttl,
            [
                .name(Self.label("ns") + origin), .name(Self.label("hostmaster") + origin),
                .uint32(serial), .uint32(3600), .uint32(600), .uint32(86400), .uint32(minimum),
            ]
        ).packed()
    }

    /// The same record for the AUTHORITY section of negative answers (RFC 2308 §3), with its names compressed (RFC 1035
    /// §4.1.4), so that it fits behind any question: ``NegativeSOA`` tells where the pointers to the zone's name go.
    ///
    /// - Parameter ttl: in seconds.
    func packNegativeSOA(ttl: UInt32, serial: UInt32, minimum: UInt32) throws(EngineError) -> [UInt8] {
        let whole = try packStartOfAuthority(ttl: ttl, serial: serial, minimum: minimum)
        let server = Self.label("ns")
        let mailbox = Self.label("hostmaster")
        let pointer: [UInt8] = [0, 0]
        let rdata = server + pointer + mailbox + pointer + whole.suffix(20)
        // Owner, type, class and TTL are as they were.
        return whole.prefix(10) + [0, UInt8(rdata.count)] + rdata
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

/// Where the SOA record of a negative answer refers to the zone's name: owner, MNAME behind `ns`, RNAME behind
/// `hostmaster`.
enum NegativeSOA {
    static let owner = 0
    static let server = 12 + 3
    static let mailbox = server + 2 + 11
}
