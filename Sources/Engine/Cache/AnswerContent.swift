/// The content of an upstream's answer as it is kept and passed on: the records behind the question.
///
/// ldns has written the records' octets, see ``LdnsWriter``. Their compression pointers lead to the question, which has
/// the same place and length in every reply, or to names of earlier records.
struct AnswerContent: Equatable {
    /// NOERROR, NXDOMAIN or YXDOMAIN; any other RCODE is a failure of the upstream.
    var code: UInt16
    /// The number of records in ANSWER.
    var answerCount: UInt16
    /// The number of records in AUTHORITY.
    var authorityCount: UInt16
    /// The records: everything behind the question.
    var body: [UInt8]
    /// The offsets of the records' TTLs in `body`, in order.
    var ttlOffsets: [UInt16]
    /// The A or AAAA records that are answered in rotation.
    var rotation: RotatedRecords?
    /// The lowest TTL of all records in seconds; for a negative answer that of its SOA (RFC 2308 §5), or 0 without one.
    var ttl: UInt32
    /// Whether it says that the name or the record does not exist.
    var isNegative: Bool
    /// Where its aliases lead, if the records there are not in it.
    var continuation: Continuation?

    /// The target of an answer's last alias.
    enum Continuation: Equatable {
        /// A name in one of our zones, whose records are looked up for each reply. It is in ``AnswerContent/body`` at
        /// `offset`, uncompressed.
        case own([UInt8], offset: UInt16)
        /// A name whose records upstreams have not sent.
        case outside([UInt8])
    }

    /// Whether upstreams have to be queried for more.
    var leadsOutside: Bool {
        if case .outside = continuation { true } else { false }
    }

    /// Whether it may be kept; an answer that says nothing about the question itself is only passed on.
    var isCacheable: Bool { code == ResponseCode.noError || code == ResponseCode.nameError }
}

/// The addresses in an answer, whose order may change. All records of an RRset have the same owner, type, class and
/// length, so only their data changes places.
struct RotatedRecords: Equatable {
    /// The first of them among all records.
    var first: UInt16
    /// How many there are; two or more.
    var count: UInt16
    /// The octets of data in each: 4 or 16.
    var dataByteCount: UInt8
}
