import CLdns

/// The question of a query, parsed by ldns: owns the `ldns_rr`.
@safe
struct Question: ~Copyable {
    private let record: UnsafeMutablePointer<ldns_rr>
    private let nameStart: UnsafeRawPointer
    private let nameByteCount: Int
    /// QTYPE.
    let type: RecordType
    /// QCLASS.
    let recordClass: UInt16
    /// Where the question ends in the message.
    let end: Int

    /// Parses the question behind the header of `message`.
    ///
    /// - Returns: `nil` when it is cut off, or its name is malformed or compressed.
    @inline(__always)
    init?(_ message: RawSpan) {
        guard DomainName.uncompressedByteCount(in: message, at: MessageHeader.byteCount) != nil else {
            return nil
        }
        var end = MessageHeader.byteCount
        var parsed: UnsafeMutablePointer<ldns_rr>?
        // Unsafe: ldns reads at most `byteCount` octets from the start of the message.
        let status = unsafe message.withUnsafeBytes { octets in
            unsafe ldns_wire2rr(
                &parsed, octets.baseAddress?.assumingMemoryBound(to: UInt8.self), octets.count, &end,
                LDNS_SECTION_QUESTION)
        }
        guard status == LDNS_STATUS_OK, let record = unsafe parsed else { return nil }
        // Unsafe: the record is ours until ldns_rr_free in deinit, or here on failure, and its owner with it.
        guard let name = unsafe ldns_rr_owner(record), let start = unsafe ldns_rdf_data(name) else {
            unsafe ldns_rr_free(record)
            return nil
        }
        // The job of ldns_dname2canonical, which calls tolower() for each octet. Length octets are below 64, so that
        // the whole name can be lowered. A differential test holds the two against each other.
        let byteCount = unsafe ldns_rdf_size(name)
        for index in 0..<byteCount {
            let octet = unsafe start[index]
            let isUpper = octet &- UInt8(ascii: "A") < 26
            unsafe start[index] = isUpper ? octet | 0x20 : octet
        }
        unsafe self.record = record
        unsafe nameStart = UnsafeRawPointer(start)
        nameByteCount = byteCount
        type = RecordType(
            rawValue: UInt16(truncatingIfNeeded: unsafe ldns_rr_get_type(record).rawValue))
        recordClass = UInt16(truncatingIfNeeded: unsafe ldns_rr_get_class(record).rawValue)
        self.end = end
    }

    deinit {
        // Unsafe: the one owner ends here.
        unsafe ldns_rr_free(record)
    }

    /// QNAME, uncompressed and in lower case.
    var name: RawSpan {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            // Unsafe: the octets live as long as the record, so as long as this value.
            unsafe _overrideLifetime(
                RawSpan(_unsafeStart: nameStart, byteCount: nameByteCount), borrowing: self)
        }
    }
}
