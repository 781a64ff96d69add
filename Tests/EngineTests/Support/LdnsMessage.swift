import CLdns

/// A DNS message as ldns reads it: the oracle that replies are compared with. It has plain values, and keeps nothing of
/// ldns.
struct LdnsMessage {
    var id: UInt16
    var isResponse: Bool
    var opcode: UInt8
    var isAuthoritative: Bool
    var isTruncated: Bool
    var recursionDesired: Bool
    var recursionAvailable: Bool
    var authenticData: Bool
    var checkingDisabled: Bool
    /// The code with the upper bits from the OPT record.
    var responseCode: UInt16
    var questions: [LdnsRecord]
    var answers: [LdnsRecord]
    var authority: [LdnsRecord]
    /// Without the OPT record.
    var additional: [LdnsRecord]
    /// The OPT record.
    var edns: LdnsEDNS?

    /// - Returns: `nil` if ldns does not accept `octets` as a message.
    init?(_ octets: [UInt8]) {
        var packet: UnsafeMutablePointer<ldns_pkt>?
        // Unsafe: ldns reads `count` octets; the packet is copied into values and freed here.
        guard unsafe ldns_wire2pkt(&packet, octets, octets.count) == LDNS_STATUS_OK, let packet = unsafe packet else {
            return nil
        }
        defer { unsafe ldns_pkt_free(packet) }
        id = unsafe ldns_pkt_id(packet)
        isResponse = unsafe ldns_pkt_qr(packet) != 0
        opcode = unsafe UInt8(truncatingIfNeeded: ldns_pkt_get_opcode(packet).rawValue)
        isAuthoritative = unsafe ldns_pkt_aa(packet) != 0
        isTruncated = unsafe ldns_pkt_tc(packet) != 0
        recursionDesired = unsafe ldns_pkt_rd(packet) != 0
        recursionAvailable = unsafe ldns_pkt_ra(packet) != 0
        authenticData = unsafe ldns_pkt_ad(packet) != 0
        checkingDisabled = unsafe ldns_pkt_cd(packet) != 0
        let code = unsafe UInt16(truncatingIfNeeded: ldns_pkt_get_rcode(packet).rawValue)
        questions = unsafe LdnsRecord.list(ldns_pkt_question(packet))
        answers = unsafe LdnsRecord.list(ldns_pkt_answer(packet))
        authority = unsafe LdnsRecord.list(ldns_pkt_authority(packet))
        additional = unsafe LdnsRecord.list(ldns_pkt_additional(packet))
        if unsafe ldns_pkt_edns(packet) != 0 {
            edns = unsafe LdnsEDNS(
                payload: ldns_pkt_edns_udp_size(packet), version: ldns_pkt_edns_version(packet),
                dnssecOK: ldns_pkt_edns_do(packet) != 0)
            responseCode = unsafe code | UInt16(ldns_pkt_edns_extended_rcode(packet)) << 4
        } else {
            responseCode = code
        }
    }
}

extension LdnsMessage {
    /// A message as ldns writes it after reading it.
    ///
    /// - Returns: `nil` if ldns does not accept `octets` as a message.
    static func repacked(_ octets: [UInt8]) -> [UInt8]? {
        var packet: UnsafeMutablePointer<ldns_pkt>?
        // Unsafe: ldns reads `count` octets; the packet and what ldns allocates for it are freed here.
        guard unsafe ldns_wire2pkt(&packet, octets, octets.count) == LDNS_STATUS_OK, let packet = unsafe packet else {
            return nil
        }
        defer { unsafe ldns_pkt_free(packet) }
        var wire: UnsafeMutablePointer<UInt8>?
        var count = 0
        guard unsafe ldns_pkt2wire(&wire, packet, &count) == LDNS_STATUS_OK, let wire = unsafe wire else { return nil }
        defer { unsafe free(wire) }
        return unsafe [UInt8](UnsafeBufferPointer(start: wire, count: count))
    }
}

/// What ldns reads in an OPT record.
struct LdnsEDNS: Equatable {
    var payload: UInt16
    var version: UInt8
    var dnssecOK: Bool
}

/// A record, or a question (without TTL and data), as ldns reads it.
struct LdnsRecord: Hashable {
    /// In uncompressed wire form.
    var owner: [UInt8]
    var type: UInt16
    var recordClass: UInt16
    var ttl: UInt32
    /// The fields one behind the other, with names uncompressed.
    var data: [UInt8]

    /// The owner in lower case.
    var lowerCaseOwner: [UInt8] { owner.map { (65...90).contains($0) ? $0 | 0x20 : $0 } }

    fileprivate static func list(_ list: UnsafeMutablePointer<ldns_rr_list>?) -> [LdnsRecord] {
        guard let list = unsafe list else { return [] }
        // Unsafe: the list belongs to the packet that is being read.
        return unsafe (0..<ldns_rr_list_rr_count(list)).compactMap { unsafe LdnsRecord(ldns_rr_list_rr(list, $0)) }
    }

    private init?(_ record: UnsafeMutablePointer<ldns_rr>?) {
        guard let record = unsafe record else { return nil }
        owner = unsafe Self.octets(ldns_rr_owner(record))
        type = unsafe UInt16(truncatingIfNeeded: ldns_rr_get_type(record).rawValue)
        recordClass = unsafe UInt16(truncatingIfNeeded: ldns_rr_get_class(record).rawValue)
        ttl = unsafe ldns_rr_ttl(record)
        data = []
        for index in unsafe 0..<ldns_rr_rd_count(record) { unsafe data += Self.octets(ldns_rr_rdf(record, index)) }
    }

    private static func octets(_ field: UnsafeMutablePointer<ldns_rdf>?) -> [UInt8] {
        guard let field = unsafe field, let start = unsafe ldns_rdf_data(field) else { return [] }
        // Unsafe: the field has this many octets; they are copied.
        return unsafe [UInt8](UnsafeBufferPointer(start: start, count: ldns_rdf_size(field)))
    }
}
