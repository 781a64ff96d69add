import CLdns

/// A record of an ``LdnsPacket``.
struct PacketRecord {
    /// Its index in its section.
    let index: Int
    let section: Section
    /// The owner, in wire form and lower case.
    let owner: [UInt8]
    let type: RecordType
    let recordClass: UInt16
    /// The TTL field as it was received.
    let ttl: UInt32
    /// The type that a signature covers (RFC 4034 §3.1.1); for other records, their own type.
    let coveredType: RecordType

    /// The section of a record.
    enum Section {
        case answer
        case authority
    }
}

/// The records of a message as they are read by ldns, the authority on the wire format. This is cold code: it is used
/// for upstreams' answers, never for a query.
///
/// ldns gets a record only after ``WireReader`` has passed its owner and the names in its data, since ldns would follow
/// 65,535 pointers for each name. ``LdnsWriter`` writes what ldns has read.
@safe
struct LdnsPacket: ~Copyable {
    private let packet: UnsafeMutablePointer<ldns_pkt>
    /// The records in ANSWER.
    private(set) var answers: [PacketRecord] = []
    /// The records in AUTHORITY.
    private(set) var authority: [PacketRecord] = []

    /// - Returns: `nil` if there is no memory.
    init?() {
        guard let packet = unsafe ldns_pkt_new() else { return nil }
        unsafe self.packet = packet
    }

    deinit {
        // Unsafe: this is the only owner; the records are freed too.
        unsafe ldns_pkt_free(packet)
    }

    // MARK: Reading

    /// Adds records to ANSWER. Their owners, and the targets of CNAME records, are converted to lower case. They may
    /// repeat the mixed case of our own query, even in a CNAME record that follows from a DNAME record. Signatures
    /// cover names in lower case (RFC 4034 §6.2).
    ///
    /// - Parameters:
    ///   - places: the places of the records, as ``WireReader`` has found them.
    ///   - message: the message that contains them; it is unchanged afterwards.
    ///   - name: the expected owner of most records, in lower case.
    /// - Returns: `false` if one is malformed.
    mutating func read(answers places: [RecordPlace], of message: inout [UInt8], name: [UInt8]) -> Bool {
        answers.reserveCapacity(answers.count + places.count)
        for place in places {
            guard let record = unsafe read(place, of: &message) else { return false }
            // Unsafe: the packet owns the record from now on.
            guard unsafe ldns_rr_list_push_rr(ldns_pkt_answer(packet), record) != 0 else {
                unsafe ldns_rr_free(record)
                return false
            }
            unsafe ldns_dname2canonical(ldns_rr_owner(record))
            if place.type == .cname { unsafe ldns_dname2canonical(ldns_rr_rdf(record, 0)) }
            let details = unsafe PacketRecord(
                record, at: answers.count, in: .answer, expecting: answers.last?.owner ?? name)
            answers.append(details)
        }
        return true
    }

    /// Adds records to AUTHORITY, without changing the case of letters.
    mutating func read(authority places: [RecordPlace], of message: inout [UInt8]) -> Bool {
        for place in places {
            guard let record = unsafe read(place, of: &message) else { return false }
            // Unsafe: as above.
            guard unsafe ldns_rr_list_push_rr(ldns_pkt_authority(packet), record) != 0 else {
                unsafe ldns_rr_free(record)
                return false
            }
            let details = unsafe PacketRecord(
                record, at: authority.count, in: .authority, expecting: authority.last?.owner ?? [])
            authority.append(details)
        }
        return true
    }

    /// Reads one record with ldns. Unsafe: the caller must give it to the packet, or free it.
    private func read(_ place: RecordPlace, of message: inout [UInt8]) -> UnsafeMutablePointer<ldns_rr>? {
        guard let shape = Self.shape(of: place, in: message.rawSpan) else { return nil }
        if shape == .opaque { message.replace(at: place.typeOffset, bigEndian: RecordType.null.rawValue) }
        defer { if shape == .opaque { message.replace(at: place.typeOffset, bigEndian: place.type.rawValue) } }
        var record: UnsafeMutablePointer<ldns_rr>?
        var end = place.owner
        // Unsafe: ldns reads `count` octets.
        guard unsafe ldns_wire2rr(&record, message, message.count, &end, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK,
            let record = unsafe record
        else { return nil }
        // ldns takes a record's end from the fields of its type, and we take it from RDLENGTH.
        guard end == place.data.upperBound else {
            unsafe ldns_rr_free(record)
            return nil
        }
        if shape == .opaque { unsafe ldns_rr_set_type(record, ldns_rr_type(rawValue: UInt32(place.type.rawValue))) }
        return unsafe record
    }

    /// How ldns may read a record's data.
    private enum Shape {
        /// As the fields of its type.
        case fields
        /// As octets of unknown meaning (RFC 3597).
        case opaque
    }

    /// The most fields in a record's data. ldns counts fields in one octet, so it would mistake further ones for
    /// others. For each field it also takes as much memory as all of the data.
    private static let maximumFieldCount = 255

    /// Checks that the names in a record's data are bounded, and that its fields, as ldns knows them, end where
    /// RDLENGTH says. Otherwise ldns would read octets of the data as the next record's owner.
    private static func shape(of record: RecordPlace, in message: RawSpan) -> Shape? {
        let end = record.data.upperBound
        var position = record.data.lowerBound
        // Unsafe: the descriptors are ldns's constants.
        let descriptor = unsafe ldns_rr_descript(record.type.rawValue)
        let maximum = unsafe ldns_rr_descriptor_maximum(descriptor)
        var index = 0
        var isText = false
        while position < end, index < maximum {
            let kind = unsafe ldns_rr_descriptor_field_type(descriptor, index)
            isText = kind == LDNS_RDF_TYPE_STR
            guard let next = fieldEnd(kind, message, at: position, dataEnd: end), next <= end,
                isText || index < maximumFieldCount
            else { return nil }
            position = next
            index += 1
        }
        // ldns reads a record without data as one without fields. Data of an unknown format may be empty.
        let isWhole = unsafe index >= ldns_rr_descriptor_minimum(descriptor)
        guard position == end, unsafe isWhole || ldns_rr_descriptor_field_type(descriptor, 0) == LDNS_RDF_TYPE_UNKNOWN
        else { return nil }
        // Such data is only text, which contains no names.
        return index > maximumFieldCount ? .opaque : .fields
    }

    /// The offset at which a field of a record's data ends for ldns; `nil` if it is malformed or of an unknown kind.
    private static func fieldEnd(_ kind: ldns_rdf_type, _ message: RawSpan, at position: Int, dataEnd: Int) -> Int? {
        switch kind {
        case LDNS_RDF_TYPE_DNAME: WireReader.endOfName(in: message, at: position)
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
            // RFC 8005 §5: the lengths of the tag and of the key, with the algorithm between them.
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

    // MARK: What was read

    /// A name in a record's data, in wire form and lower case.
    ///
    /// - Parameter field: the field's index among the fields of its type.
    /// - Returns: `nil` if there is none.
    func name(in record: PacketRecord, field: Int) -> [UInt8]? {
        // Unsafe: the packet owns the field; its octets are copied.
        guard let rdf = unsafe self.field(field, of: record), unsafe ldns_rdf_get_type(rdf) == LDNS_RDF_TYPE_DNAME
        else {
            return nil
        }
        var name: [UInt8] = []
        unsafe name.append(lowerCase: rdf.octets)
        return name
    }

    /// A 32-bit number in a record's data.
    ///
    /// - Parameter field: the field's index among the fields of its type.
    /// - Returns: `nil` if there is none.
    func uint32(in record: PacketRecord, field: Int) -> UInt32? {
        // Unsafe: the packet owns the field.
        guard let rdf = unsafe self.field(field, of: record), unsafe ldns_rdf_size(rdf) == 4 else { return nil }
        return unsafe rdf.octets.uint32(at: 0)
    }

    private func field(_ field: Int, of record: PacketRecord) -> UnsafeMutablePointer<ldns_rdf>? {
        unsafe pointer(to: record).flatMap { unsafe ldns_rr_rdf($0, field) }
    }

    /// Unsafe: the pointer is valid as long as the packet is.
    private func pointer(to record: PacketRecord) -> UnsafeMutablePointer<ldns_rr>? {
        switch record.section {
        case .answer: unsafe ldns_rr_list_rr(ldns_pkt_answer(packet), record.index)
        case .authority: unsafe ldns_rr_list_rr(ldns_pkt_authority(packet), record.index)
        }
    }

    // MARK: Writing

    /// Writes a record behind those that were written before.
    ///
    /// - Parameter writesNamesOut: whether the names in its data are written without compression.
    /// - Returns: the offset of its TTL in the message; `nil` if the message would be too long.
    func write(_ record: PacketRecord, writesNamesOut: Bool = false, to writer: inout LdnsWriter) -> Int? {
        // Unsafe: the packet owns the record.
        unsafe pointer(to: record).flatMap { unsafe writer.append($0, writesNamesOut: writesNamesOut) }
    }
}

extension PacketRecord {
    /// - Parameter name: the expected owner, an array that the record may share.
    fileprivate init(
        _ record: UnsafeMutablePointer<ldns_rr>, at index: Int, in section: PacketRecord.Section,
        expecting name: [UInt8]
    ) {
        self.index = index
        self.section = section
        // Unsafe: the record owns the name; its octets are copied.
        if let found = unsafe ldns_rr_owner(record), unsafe found.octets.isName(name.rawSpan) {
            owner = name
        } else if let found = unsafe ldns_rr_owner(record) {
            var octets: [UInt8] = []
            unsafe octets.append(lowerCase: found.octets)
            owner = octets
        } else {
            owner = []
        }
        type = unsafe RecordType(rawValue: UInt16(truncatingIfNeeded: ldns_rr_get_type(record).rawValue))
        recordClass = unsafe UInt16(truncatingIfNeeded: ldns_rr_get_class(record).rawValue)
        ttl = unsafe ldns_rr_ttl(record)
        if type == .rrsig, let covered = unsafe ldns_rr_rdf(record, 0).flatMap({ unsafe $0.octets.uint16(at: 0) }) {
            coveredType = RecordType(rawValue: covered)
        } else {
            coveredType = type
        }
    }
}

extension UnsafeMutablePointer<ldns_rdf> {
    /// The field's octets. Unsafe: they are valid as long as the field is.
    fileprivate var octets: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = unsafe RawSpan(_unsafeStart: ldns_rdf_data(self), byteCount: ldns_rdf_size(self))
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}
