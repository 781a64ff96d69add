import CLdns

/// Asks ldns, the authority on the wire format. Cold: for what upstreams have answered, never for a query.
enum LdnsValidation {
    /// The TTL of all records of a message that is shown to ldns. TTLs change with each reply, so that no name may lead
    /// into one: with these octets, each of which begins a pointer beyond the message, ldns would not read it, and no
    /// label may reach over one: then the name has such an octet in it.
    static let probeTTL = UInt32.max

    /// Whether ldns reads `message` as a DNS message with these records in ANSWER and AUTHORITY, one behind the other.
    ///
    /// Types and TTLs, all ``probeTTL``, are compared, for ldns takes a record's end from its type's fields, and we
    /// from RDLENGTH: where the two differ, clients would not agree on what they read either.
    static func reads(_ message: [UInt8], as records: [RecordPlace]) -> Bool {
        var packet: UnsafeMutablePointer<ldns_pkt>?
        // Unsafe: ldns reads `count` octets; the packet is freed here.
        guard unsafe ldns_wire2pkt(&packet, message, message.count) == LDNS_STATUS_OK, let packet = unsafe packet else {
            return false
        }
        defer { unsafe ldns_pkt_free(packet) }
        let answers = unsafe ldns_pkt_answer(packet)
        let authority = unsafe ldns_pkt_authority(packet)
        // Unsafe: both lists belong to the packet.
        guard let count = unsafe count(of: answers, as: records[...]),
            let rest = unsafe self.count(of: authority, as: records.dropFirst(count))
        else { return false }
        return count + rest == records.count
    }

    /// How many records a list has; `nil` when they are not those that `records` begins with.
    private static func count(
        of list: UnsafeMutablePointer<ldns_rr_list>?, as records: ArraySlice<RecordPlace>
    ) -> Int? {
        guard let list = unsafe list else { return 0 }
        let count = unsafe ldns_rr_list_rr_count(list)
        guard count <= records.count else { return nil }
        for (index, place) in records.prefix(count).enumerated() {
            // Unsafe: the list has `count` records.
            guard let record = unsafe ldns_rr_list_rr(list, index),
                unsafe ldns_rr_get_type(record).rawValue == UInt32(place.type.rawValue),
                unsafe ldns_rr_ttl(record) == probeTTL, unsafe !hasProbeOctet(ldns_rr_owner(record)),
                unsafe !(0..<ldns_rr_rd_count(record)).contains(where: { index in
                    let field = unsafe ldns_rr_rdf(record, index)
                    return unsafe field.map { unsafe ldns_rdf_get_type($0) } == LDNS_RDF_TYPE_DNAME
                        && hasProbeOctet(field)
                })
            else { return nil }
        }
        return count
    }

    /// Whether a name has an octet of the ``probeTTL`` in it.
    private static func hasProbeOctet(_ name: UnsafeMutablePointer<ldns_rdf>?) -> Bool {
        guard let name = unsafe name, let data = unsafe ldns_rdf_data(name) else { return true }
        let octet = UInt8(truncatingIfNeeded: probeTTL)
        // Unsafe: the name has so many octets.
        return unsafe UnsafeBufferPointer(start: data, count: ldns_rdf_size(name)).contains(octet)
    }
}
