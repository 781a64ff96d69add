import CLdns
@testable import Engine

/// A query, packed by ldns.
struct TestQuery {
    var name: String
    var type: RecordType
    var recordClass: UInt16 = 1
    var id: UInt16 = 0x4B44
    var opcode: UInt8 = 0
    var recursionDesired = true
    var checkingDisabled = false
    var edns: LdnsEDNS?

    init(_ name: String, _ type: RecordType = .a) {
        self.name = name
        self.type = type
    }

    /// The same query with an OPT record.
    func offering(payload: UInt16, version: UInt8 = 0, dnssecOK: Bool = false) -> TestQuery {
        var query = self
        query.edns = LdnsEDNS(payload: payload, version: version, dnssecOK: dnssecOK)
        return query
    }

    /// The message in wire form.
    var octets: [UInt8] {
        get throws {
            guard let owner = unsafe ldns_dname_new_frm_str(name) else { throw TestFailure("'\(name)' is not a name") }
            // Unsafe: the packet takes over the name, and is freed here.
            let packet = unsafe ldns_pkt_query_new(
                owner, ldns_rr_type(rawValue: UInt32(type.rawValue)), ldns_rr_class(rawValue: UInt32(recordClass)), 0)
            guard let packet = unsafe packet else { throw TestFailure("no memory") }
            defer { unsafe ldns_pkt_free(packet) }
            unsafe ldns_pkt_set_id(packet, id)
            unsafe ldns_pkt_set_opcode(packet, ldns_pkt_opcode(rawValue: UInt32(opcode)))
            unsafe ldns_pkt_set_rd(packet, recursionDesired ? 1 : 0)
            unsafe ldns_pkt_set_cd(packet, checkingDisabled ? 1 : 0)
            if let edns {
                unsafe ldns_pkt_set_edns_udp_size(packet, edns.payload)
                unsafe ldns_pkt_set_edns_version(packet, edns.version)
                unsafe ldns_pkt_set_edns_do(packet, edns.dnssecOK ? 1 : 0)
            }
            var wire: UnsafeMutablePointer<UInt8>?
            var count = 0
            // Unsafe: ldns allocates `wire`; it is copied and freed here.
            guard unsafe ldns_pkt2wire(&wire, packet, &count) == LDNS_STATUS_OK, let wire = unsafe wire else {
                throw TestFailure("ldns did not pack the query")
            }
            defer { unsafe free(wire) }
            return unsafe [UInt8](UnsafeBufferPointer(start: wire, count: count))
        }
    }

    /// The message with other octets at some offsets, e.g. `[4: 0, 5: 2]` for QDCOUNT 2.
    func octets(replacing replacements: [Int: UInt8], appending tail: [UInt8] = []) throws -> [UInt8] {
        var octets = try octets
        for (offset, octet) in replacements { octets[offset] = octet }
        return octets + tail
    }
}

/// A name in wire form, packed by ldns.
func wireName(_ text: String) throws -> [UInt8] {
    guard let name = unsafe ldns_dname_new_frm_str(text) else { throw TestFailure("'\(text)' is not a name") }
    // Unsafe: the octets are copied, the name is freed here.
    defer { unsafe ldns_rdf_deep_free(name) }
    return unsafe [UInt8](UnsafeBufferPointer(start: ldns_rdf_data(name), count: ldns_rdf_size(name)))
}

/// The reason why a test can't continue.
struct TestFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
