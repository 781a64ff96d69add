import CLdns

/// Writes a response with ldns: the records that ``LdnsPacket`` has read, one behind the other. Their names are
/// compressed as in RFC 1035 §4.1.4, and for types that came later as in RFC 3597 §4.
///
/// A name is compressed only if it equals an earlier one octet for octet, so letters keep their case. There is another
/// reason not to use ldns's own comparison: its time grows with the square of the number of labels.
@safe
struct LdnsWriter: ~Copyable {
    private let buffer: UnsafeMutablePointer<ldns_buffer>
    /// The offsets of names that later ones can point to.
    private let names: UnsafeMutablePointer<ldns_rbtree_t>
    /// The offset of the question's end.
    private let questionEnd: Int
    /// How many labels may still be looked up when the position is out of a pointer's reach. A name that is not found
    /// there is not noted either. ldns needs many steps for each label, and one name may be written very often.
    private var labelBudget: Int

    /// Pointers lead only to offsets below this one.
    private static let reach = 0x4000

    /// - Parameters:
    ///   - name: the name in the question, in lower case.
    ///   - byteCount: the octets of what will be written, as it was received.
    /// - Returns: `nil` if there is no memory.
    init?(question name: [UInt8], byteCount: Int) {
        let questionEnd = MessageHeader.byteCount + name.count + 4
        // Unsafe: all three are freed in deinit, or here. The buffer has room for header and question; their other
        // octets are never read.
        let buffer = unsafe ldns_buffer_new(questionEnd + byteCount)
        let names = unsafe ldns_rbtree_create { unsafe order($0, $1) }
        let question = unsafe ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name.count, name)
        defer { unsafe ldns_rdf_deep_free(question) }
        guard let buffer = unsafe buffer, let names = unsafe names, let question = unsafe question else {
            unsafe ldns_buffer_free(buffer)
            unsafe ldns_rbtree_free(names)
            return nil
        }
        unsafe ldns_buffer_set_position(buffer, MessageHeader.byteCount)
        _ = unsafe ldns_dname2buffer_wire_compress(buffer, question, names)
        unsafe ldns_buffer_set_position(buffer, questionEnd)
        unsafe self.buffer = buffer
        unsafe self.names = names
        self.questionEnd = questionEnd
        labelBudget = byteCount / 4
    }

    deinit {
        // Unsafe: this is the only owner of both, and of the tree's nodes and their names.
        unsafe ldns_traverse_postorder(
            names,
            { node, _ in
                guard let node = unsafe node else { return }
                unsafe ldns_rdf_deep_free(
                    UnsafeMutableRawPointer(mutating: node.pointee.key)?.assumingMemoryBound(to: ldns_rdf.self))
                unsafe free(node)
            }, nil)
        unsafe ldns_rbtree_free(names)
        unsafe ldns_buffer_free(buffer)
    }

    /// The records, from the end of the question on.
    var body: [UInt8] {
        // Unsafe: this many octets were written; they are copied.
        unsafe [UInt8](
            UnsafeBufferPointer(start: ldns_buffer_begin(buffer) + questionEnd, count: byteCount - questionEnd))
    }

    /// The octets of the message so far.
    private var byteCount: Int { unsafe ldns_buffer_position(buffer) }

    /// Writes a record.
    ///
    /// - Parameters:
    ///   - record: a record with its owner.
    ///   - writesNamesOut: whether the names in its data are written without compression.
    /// - Returns: the offset of its TTL; `nil` if the message is too long.
    mutating func append(_ record: UnsafeMutablePointer<ldns_rr>, writesNamesOut: Bool) -> Int? {
        guard let owner = unsafe ldns_rr_owner(record) else { return nil }
        let isInReach = byteCount < Self.reach
        // Unsafe in all that follows: the record has its owner again in the end. ldns does not write parts that are
        // missing.
        let isKnown = unsafe isInReach || ldns_rbtree_search(names, owner) != nil
        guard unsafe ldns_dname2buffer_wire_compress(buffer, owner, isKnown ? names : nil) == LDNS_STATUS_OK else {
            return nil
        }
        let place = byteCount + 4
        unsafe ldns_rr_set_owner(record, nil)
        defer { unsafe ldns_rr_set_owner(record, owner) }
        let isCompressed = unsafe !writesNamesOut && (isInReach || takesFromBudget(record))
        guard
            unsafe ldns_rr2buffer_wire_compress(
                buffer, record, Int32(LDNS_SECTION_ANSWER.rawValue), isCompressed ? names : nil) == LDNS_STATUS_OK,
            byteCount <= MessageSize.maximum
        else { return nil }
        return place
    }

    /// Takes the labels of the names in a record's data from the budget. Names that are found as a whole are free.
    ///
    /// - Returns: whether the budget was sufficient.
    private mutating func takesFromBudget(_ record: UnsafeMutablePointer<ldns_rr>) -> Bool {
        var count = 0
        for index in unsafe 0..<ldns_rr_rd_count(record) {
            // Unsafe: the record has that field. A field that is not a name has no labels.
            guard let field = unsafe ldns_rr_rdf(record, index), unsafe ldns_rdf_get_type(field) == LDNS_RDF_TYPE_DNAME,
                unsafe ldns_rbtree_search(names, field) == nil
            else { continue }
            unsafe count += Int(ldns_dname_label_count(field))
        }
        guard count <= labelBudget else { return false }
        labelBudget -= count
        return true
    }
}

/// The order of names in the tree: by length, then by their octets.
private func order(_ left: UnsafeRawPointer?, _ right: UnsafeRawPointer?) -> Int32 {
    // Unsafe: the tree's keys and the argument of a search are names, and each has as many octets as it says.
    guard let left = unsafe left?.assumingMemoryBound(to: ldns_rdf.self),
        let right = unsafe right?.assumingMemoryBound(to: ldns_rdf.self)
    else { return 0 }
    let count = unsafe ldns_rdf_size(left)
    let other = unsafe ldns_rdf_size(right)
    guard count == other else { return count < other ? -1 : 1 }
    return unsafe memcmp(ldns_rdf_data(left), ldns_rdf_data(right), count)
}
