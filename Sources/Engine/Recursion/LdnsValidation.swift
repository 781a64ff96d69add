import CLdns

/// Asks ldns, the authority on the wire format. Cold: for what upstreams have answered, never for a query.
enum LdnsValidation {
    /// An octet to stand for all that changes with each reply: TTLs, the message ID, addresses in rotation. No name
    /// may read any of it. One that leads there finds pointers beyond the message, and ldns does not read it; one that
    /// has a label reaching over it has this octet in it, for nothing else in the message has.
    static func probe(absentIn body: [UInt8], _ name: [UInt8]) -> UInt8 {
        var isThere = InlineArray<256, Bool>(repeating: false)
        for octet in body { isThere[Int(octet)] = true }
        for octet in name { isThere[Int(octet)] = true }
        // Two of them are a pointer (RFC 1035 §4.1.4) to 2,248 or beyond. A long message, in which all are, gets the
        // last one: then names that have it are refused too.
        return (0xC8...0xFF).last { !isThere[$0] }.map { UInt8($0) } ?? 0xFF
    }

    /// Whether ldns reads `message` as a DNS message with these records in ANSWER and AUTHORITY, one behind the other.
    ///
    /// Types and TTLs, all of `probe`, are compared, for ldns takes a record's end from its type's fields, and we from
    /// RDLENGTH: where the two differ, clients would not agree on what they read either.
    static func reads(_ message: [UInt8], as records: [RecordPlace], probe: UInt8) -> Bool {
        var packet: UnsafeMutablePointer<ldns_pkt>?
        // Unsafe: ldns reads `count` octets; the packet is freed here.
        guard unsafe ldns_wire2pkt(&packet, message, message.count) == LDNS_STATUS_OK, let packet = unsafe packet else {
            return false
        }
        defer { unsafe ldns_pkt_free(packet) }
        let answers = unsafe ldns_pkt_answer(packet)
        let authority = unsafe ldns_pkt_authority(packet)
        // Unsafe: both lists belong to the packet.
        guard let count = unsafe count(of: answers, as: records[...], probe),
            let rest = unsafe self.count(of: authority, as: records.dropFirst(count), probe)
        else { return false }
        return count + rest == records.count
    }

    /// How many records a list has; `nil` when they are not those that `records` begins with.
    private static func count(
        of list: UnsafeMutablePointer<ldns_rr_list>?, as records: ArraySlice<RecordPlace>, _ probe: UInt8
    ) -> Int? {
        guard let list = unsafe list else { return 0 }
        let count = unsafe ldns_rr_list_rr_count(list)
        guard count <= records.count else { return nil }
        for (index, place) in records.prefix(count).enumerated() {
            // Unsafe: the list has `count` records.
            guard let record = unsafe ldns_rr_list_rr(list, index),
                unsafe ldns_rr_get_type(record).rawValue == UInt32(place.type.rawValue),
                unsafe ldns_rr_ttl(record) == UInt32(probe) &* 0x0101_0101, unsafe !has(probe, ldns_rr_owner(record)),
                unsafe !(0..<ldns_rr_rd_count(record)).contains(where: { index in
                    let field = unsafe ldns_rr_rdf(record, index)
                    return unsafe field.map { unsafe ldns_rdf_get_type($0) } == LDNS_RDF_TYPE_DNAME
                        && has(probe, field)
                })
            else { return nil }
        }
        return count
    }

    /// Whether a name has the octet in it.
    private static func has(_ probe: UInt8, _ name: UnsafeMutablePointer<ldns_rdf>?) -> Bool {
        guard let name = unsafe name, let data = unsafe ldns_rdf_data(name) else { return true }
        // Unsafe: the name has so many octets.
        return unsafe UnsafeBufferPointer(start: data, count: ldns_rdf_size(name)).contains(probe)
    }
}
