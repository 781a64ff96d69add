/// The offsets of the parts of a packed record whose owner is a compression pointer (RFC 1035 §3.2.1, §4.1.4).
enum PackedRecord {
    /// The TTL: behind owner, type and class.
    static let ttl = 6
    /// The length of the data.
    static let length = 10
    /// The data, behind its length.
    static let data = 12
    /// The weight of an SRV record (RFC 2782).
    static let weight = data + 2
    /// The port of an SRV record.
    static let port = data + 4
    /// The target of an SRV record.
    static let target = data + 6
    /// The last place in a message that a compression pointer's 14 bits reach.
    static let pointerReach = 0x3FFF
}

/// Packed records, made by ldns. All others of their kind are copies with the differing fields filled in.
struct RecordTemplates {
    private let address4: [UInt8]
    private let address6: [UInt8]
    private let service4: [UInt8]
    private let service6: [UInt8]
    private let targets: ServiceTargets

    /// - Parameters:
    ///   - origin: the zone's origin in wire form.
    ///   - targets: how SRV records name their targets.
    init(origin: [UInt8], targets: ServiceTargets) throws(EngineError) {
        self.targets = targets
        func service(_ target: IPAddress) throws(EngineError) -> [UInt8] {
            let fields: [RecordPacker.Field] = [.uint16(0), .uint16(0), .uint16(0), .name(target.wireName(in: origin))]
            return try RecordPacker(.srv, fields).packed()
        }
        let none4 = IPAddress.v4(0)
        let none6 = IPAddress.v6(0, 0)
        address4 = try RecordPacker(.a, [.address(none4.octets)]).packed()
        address6 = try RecordPacker(.aaaa, [.address(none6.octets)]).packed()
        service4 = try service(none4)
        service6 = try service(none6)
    }

    /// Appends an A or AAAA record.
    ///
    /// - Parameter ttl: in seconds.
    func append(_ address: IPAddress, ttl: UInt32, to output: inout [UInt8]) {
        let start = output.count
        switch address {
        case .v4(let value):
            output += address4
            output.replace(at: start + PackedRecord.data, bigEndian: value)
        case .v6(let high, let low):
            output += address6
            output.replace(at: start + PackedRecord.data, bigEndian: high)
            output.replace(at: start + PackedRecord.data + 8, bigEndian: low)
        }
        output.replace(at: start + PackedRecord.ttl, bigEndian: ttl)
    }

    /// Appends an SRV record.
    ///
    /// - Parameters:
    ///   - ttl: in seconds.
    ///   - target: the address whose name is the record's target.
    func append(
        priority: UInt16, weight: UInt16, port: UInt16, target: IPAddress, ttl: UInt32, to output: inout [UInt8]
    ) {
        let start = output.count
        output += target.isIPv4 ? service4 : service6
        output.replace(at: start + PackedRecord.ttl, bigEndian: ttl)
        output.replace(at: start + PackedRecord.data, bigEndian: priority)
        output.replace(at: start + PackedRecord.weight, bigEndian: weight)
        output.replace(at: start + PackedRecord.port, bigEndian: port)
        guard targets == .addressNames else {
            let name = target.literalWireName
            output.replaceSubrange((start + PackedRecord.target)..., with: name)
            let length = PackedRecord.target - PackedRecord.data + name.count
            output.replace(at: start + PackedRecord.length, bigEndian: UInt16(length))
            return
        }
        // Only the digits of the target's first label differ, see wireName(in:).
        var position = start + PackedRecord.target + 1
        target.forEachHexDigit { digit in
            output[position] = digit
            position += 1
        }
    }
}
