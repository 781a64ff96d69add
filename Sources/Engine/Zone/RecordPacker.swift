import CLdns

/// Packs a record to wire form with ldns. This runs only when the zone changes, never for a query.
///
/// A packed record's owner is the compression pointer to the question (`C0 0C`, RFC 1035 §4.1.4): every record of an
/// answer belongs to the name that was asked, which is behind the header.
@safe
final class RecordPacker {
    /// The compression pointer to the question's name.
    static let questionPointer: UInt16 = 0xC000 | UInt16(MessageHeader.byteCount)

    private let record: UnsafeMutablePointer<ldns_rr>
    private let buffer: UnsafeMutablePointer<ldns_buffer>

    /// A field of RDATA.
    enum Field {
        case address([UInt8])
        case uint16(UInt16)
        case uint32(UInt32)
        case text(String)
        /// A name in wire form.
        case name([UInt8])
    }

    /// - Throws: ``EngineError/resourceExhausted(_:)`` if memory is short.
    init(
        _ type: RecordType, recordClass: UInt16 = RecordClass.internet, ttl: UInt32 = 0, _ fields: [Field]
    ) throws(EngineError) {
        // Unsafe: both are freed in deinit, or here on failure; the record owns its name and its fields.
        guard let record = unsafe ldns_rr_new(), let buffer = unsafe ldns_buffer_new(512) else {
            throw .resourceExhausted("memory")
        }
        unsafe self.record = record
        unsafe self.buffer = buffer
        unsafe ldns_rr_set_owner(record, ldns_dname_new_frm_str("."))
        unsafe ldns_rr_set_type(record, ldns_rr_type(rawValue: UInt32(type.rawValue)))
        unsafe ldns_rr_set_class(record, ldns_rr_class(rawValue: UInt32(recordClass)))
        unsafe ldns_rr_set_ttl(record, ttl)
        for field in fields {
            guard let rdf = unsafe Self.rdf(of: field) else { throw .resourceExhausted("memory") }
            guard unsafe ldns_rr_push_rdf(record, rdf) != 0 else {
                unsafe ldns_rdf_deep_free(rdf)
                throw .resourceExhausted("memory")
            }
        }
    }

    deinit {
        // Unsafe: this object is the only owner of both.
        unsafe ldns_rr_free(record)
        unsafe ldns_buffer_free(buffer)
    }

    /// The packed record.
    ///
    /// - Throws: ``EngineError/resourceExhausted(_:)`` if ldns has no memory.
    func packed() throws(EngineError) -> [UInt8] {
        unsafe ldns_buffer_clear(buffer)
        guard
            unsafe ldns_rr2buffer_wire(buffer, record, Int32(LDNS_SECTION_ANSWER.rawValue)) == LDNS_STATUS_OK
        else { throw .resourceExhausted("memory") }
        var output: [UInt8] = []
        output.append(bigEndian: Self.questionPointer)
        // Unsafe: ldns wrote `position` octets to the buffer; the first is the root owner, replaced by the pointer.
        unsafe output.append(
            contentsOf: UnsafeBufferPointer(
                start: ldns_buffer_begin(buffer) + 1, count: ldns_buffer_position(buffer) - 1))
        return output
    }

    /// A new ldns field; `nil` if memory is short. Unsafe: the caller must free it or give it to a record.
    private static func rdf(of field: Field) -> UnsafeMutablePointer<ldns_rdf>? {
        switch field {
        case .address(let octets):
            // Unsafe: ldns copies the octets.
            return unsafe ldns_rdf_new_frm_data(
                octets.count == 4 ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA, octets.count, octets)
        case .uint16(let number):
            return unsafe ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, number)
        case .uint32(let number):
            return unsafe ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, number)
        case .text(let text):
            let octets = [UInt8(truncatingIfNeeded: text.utf8.count)] + text.utf8
            return unsafe ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, octets.count, octets)
        case .name(let octets):
            return unsafe ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, octets.count, octets)
        }
    }

    /// The wire form, in lower case, of a name in presentation form; ldns parses it.
    ///
    /// - Returns: `nil` if it is not a domain name.
    static func wireName(_ text: String) -> [UInt8]? {
        // A NUL would end the C string early; a backslash could begin an escape for a dot or an upper-case letter.
        guard !text.isEmpty, !text.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\\") }) else {
            return nil
        }
        // Unsafe: the rdf is copied to an array and freed here.
        guard let name = unsafe ldns_dname_new_frm_str(text) else { return nil }
        defer { unsafe ldns_rdf_deep_free(name) }
        unsafe ldns_dname2canonical(name)
        guard let start = unsafe ldns_rdf_data(name) else { return nil }
        return unsafe [UInt8](UnsafeBufferPointer(start: start, count: ldns_rdf_size(name)))
    }
}
