/// Packs one RRset: its records with ldns, and where each of them is.
struct RRsetPacker {
    /// Records of one RRset at most: far more than a message holds, but indices and offsets stay small.
    static let maximumRecords = 1 << 20

    private let packer: RecordPacker
    private let origin: [UInt8]
    private let usesWeights: Bool

    init(origin: [UInt8], usesWeights: Bool) throws(EngineError) {
        packer = try RecordPacker()
        self.origin = origin
        self.usesWeights = usesWeights
    }

    /// Packs `rrset`, which belongs to `name` (for the error alone).
    ///
    /// - Throws: ``EngineError/invalidRecords(name:)`` when it is empty, too long, or holds a record of another type.
    func pack(_ rrset: RRset, name: String) throws(EngineError) -> PackingRRset {
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
        return packed
    }

    private func packAddresses(_ rrset: RRset, name: String, into packed: inout PackingRRset)
        throws(EngineError)
    {
        for record in rrset.records {
            guard case .address(let address) = record.data, address.recordType == rrset.type else {
                throw .invalidRecords(name: name)
            }
            try packer.pack(rrset.type, ttl: rrset.ttl, [.address(address.octets)], into: &packed.answer)
        }
        packed.stride = UInt16(packed.answer.count / rrset.records.count)
    }

    private func packServices(_ rrset: RRset, name: String, into packed: inout PackingRRset)
        throws(EngineError)
    {
        var targets: Set<IPAddress> = []
        packed.services.reserveCapacity(rrset.records.count)
        for record in rrset.records {
            guard case .service(let priority, let weight, let port, let target) = record.data else {
                throw .invalidRecords(name: name)
            }
            var slot = ServiceSlot(
                answer: UInt32(packed.answer.count), additional: UInt32(packed.additional.count),
                additionalByteCount: 0)
            try packer.pack(
                .srv, ttl: rrset.ttl,
                [.uint16(priority), .uint16(weight), .uint16(port), .name(target.wireName(in: origin))],
                into: &packed.answer)
            // A target that two records share has one RRset in ADDITIONAL.
            if targets.insert(target).inserted {
                try packer.pack(
                    target.recordType, ttl: rrset.ttl, [.address(target.octets)], into: &packed.additional)
                slot.additionalByteCount = UInt32(packed.additional.count) - slot.additional
            }
            packed.services.append(slot)
        }
    }

    /// The records of the apex and of names that are answered without any state.
    ///
    /// - Parameter ttl: in seconds.
    func packConstants(ttl: UInt32) throws(EngineError) -> ZoneConstants {
        var address4: [UInt8] = []
        var address6: [UInt8] = []
        var any: [UInt8] = []
        try packer.pack(.a, ttl: ttl, [.address([UInt8](repeating: 0, count: 4))], into: &address4)
        try packer.pack(.aaaa, ttl: ttl, [.address([UInt8](repeating: 0, count: 16))], into: &address6)
        try packer.pack(.hinfo, ttl: ttl, [.text("RFC8482"), .text("")], into: &any)
        return ZoneConstants(
            origin: origin, address4: address4.dropLast(4), address6: address6.dropLast(16), any: any)
    }

    /// The zone's NS record.
    func packNameServer(ttl: UInt32) throws(EngineError) -> [UInt8] {
        var packed: [UInt8] = []
        try packer.pack(.ns, ttl: ttl, [.name(Self.label("ns") + origin)], into: &packed)
        return packed
    }

    /// The zone's SOA record (RFC 1035 §3.3.13).
    ///
    /// Nobody transfers this zone, so that refresh, retry and expire are customary values without an effect.
    func packStartOfAuthority(ttl: UInt32, serial: UInt32, minimum: UInt32) throws(EngineError)
        -> [UInt8]
    {
        var packed: [UInt8] = []
        try packer.pack(
            .soa, ttl: ttl,
            [
                .name(Self.label("ns") + origin), .name(Self.label("hostmaster") + origin),
                .uint32(serial), .uint32(3600), .uint32(600), .uint32(86400), .uint32(minimum),
            ],
            into: &packed)
        return packed
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
        let octets = octets
        var name: [UInt8] = []
        name.reserveCapacity(1 + 2 * octets.count + 5 + origin.count)
        name.append(UInt8(2 * octets.count))
        for octet in octets {
            name.append(Self.hexDigit(octet >> 4))
            name.append(Self.hexDigit(octet & 15))
        }
        name += SynthesizedAddress.label
        name += origin
        return name
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
    }
}

/// Where the SOA record of a negative answer refers to the zone's name: owner, MNAME behind `ns`, RNAME behind
/// `hostmaster`.
enum NegativeSOA {
    static let owner = 0
    static let server = 12 + 3
    static let mailbox = server + 2 + 11
}
