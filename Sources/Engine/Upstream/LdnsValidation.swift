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
    /// RDLENGTH: where the two differ, clients would not agree on what they read either. ldns is not asked when it
    /// would read anything but names that ``DomainName/walk(_:at:_:)`` has passed: for each it follows 65,535 pointers.
    static func reads(_ message: [UInt8], as records: [RecordPlace], probe: UInt8) -> Bool {
        guard records.allSatisfy({ hasBoundedNames($0, in: message.rawSpan) }) else { return false }
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

    /// Whether a record's owner and the names in its data are bounded, and its fields, as ldns knows them, end where
    /// RDLENGTH says: else ldns would take octets of the data for the next record's owner.
    ///
    /// - Parameter visit: is told where each name in the data is.
    static func hasBoundedNames(
        _ record: RecordPlace, in message: RawSpan, _ visit: (Range<Int>) -> Void = { _ in }
    ) -> Bool {
        guard DomainName.end(in: message, at: record.owner) != nil else { return false }
        let end = record.data.upperBound
        var position = record.data.lowerBound
        // Unsafe: the descriptors are ldns's constants.
        let descriptor = unsafe ldns_rr_descript(record.type.rawValue)
        var index = 0
        while position < end, unsafe index < ldns_rr_descriptor_maximum(descriptor) {
            let kind = unsafe ldns_rr_descriptor_field_type(descriptor, index)
            guard let next = fieldEnd(kind, message, at: position, dataEnd: end), next <= end else { return false }
            if kind == LDNS_RDF_TYPE_DNAME { visit(position..<next) }
            position = next
            index += 1
        }
        // ldns reads a record without data as one whose fields are not there.
        let isWhole = unsafe index >= ldns_rr_descriptor_minimum(descriptor) || isOpaque(descriptor)
        return position == end && isWhole
    }

    /// Whether nothing is known of a type's data, which may be empty then (RFC 3597 §5).
    private static func isOpaque(_ descriptor: UnsafePointer<ldns_rr_descriptor>?) -> Bool {
        // Unsafe: see above.
        unsafe ldns_rr_descriptor_field_type(descriptor, 0) == LDNS_RDF_TYPE_UNKNOWN
    }

    /// Where a field of a record's data ends for ldns; `nil` when it is malformed, or of a kind that is not known here.
    private static func fieldEnd(_ kind: ldns_rdf_type, _ message: RawSpan, at position: Int, dataEnd: Int) -> Int? {
        switch kind {
        case LDNS_RDF_TYPE_DNAME: DomainName.end(in: message, at: position)
        case LDNS_RDF_TYPE_CLASS, LDNS_RDF_TYPE_ALG, LDNS_RDF_TYPE_CERTIFICATE_USAGE, LDNS_RDF_TYPE_SELECTOR,
            LDNS_RDF_TYPE_MATCHING_TYPE, LDNS_RDF_TYPE_INT8:
            position + 1
        case LDNS_RDF_TYPE_TYPE, LDNS_RDF_TYPE_INT16, LDNS_RDF_TYPE_CERT_ALG: position + 2
        case LDNS_RDF_TYPE_TIME, LDNS_RDF_TYPE_INT32, LDNS_RDF_TYPE_A, LDNS_RDF_TYPE_PERIOD: position + 4
        case LDNS_RDF_TYPE_TSIGTIME, LDNS_RDF_TYPE_EUI48: position + 6
        case LDNS_RDF_TYPE_ILNP64, LDNS_RDF_TYPE_EUI64: position + 8
        case LDNS_RDF_TYPE_AAAA: position + 16
        case LDNS_RDF_TYPE_STR, LDNS_RDF_TYPE_NSEC3_SALT, LDNS_RDF_TYPE_TAG, LDNS_RDF_TYPE_B32_EXT,
            LDNS_RDF_TYPE_NSEC3_NEXT_OWNER:
            message.octet(at: position).map { position + 1 + Int($0) }
        case LDNS_RDF_TYPE_INT16_DATA: message.uint16(at: position).map { position + 2 + Int($0) }
        case LDNS_RDF_TYPE_HIP:
            // RFC 8005 §5: lengths of the tag and of the key, with the algorithm between them.
            message.octet(at: position).flatMap { tag in
                message.uint16(at: position + 2).map { position + 4 + Int(tag) + Int($0) }
            }
        case LDNS_RDF_TYPE_APL, LDNS_RDF_TYPE_B64, LDNS_RDF_TYPE_HEX, LDNS_RDF_TYPE_NSEC, LDNS_RDF_TYPE_UNKNOWN,
            LDNS_RDF_TYPE_SERVICE, LDNS_RDF_TYPE_LOC, LDNS_RDF_TYPE_WKS, LDNS_RDF_TYPE_NSAP, LDNS_RDF_TYPE_ATMA,
            LDNS_RDF_TYPE_IPSECKEY, LDNS_RDF_TYPE_LONG_STR, LDNS_RDF_TYPE_AMTRELAY, LDNS_RDF_TYPE_SVCPARAMS,
            LDNS_RDF_TYPE_NONE:
            dataEnd
        default: nil
        }
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
