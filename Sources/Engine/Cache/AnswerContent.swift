/// What an upstream has answered, as it is kept and passed on: the records behind the question.
///
/// The records' octets are the upstream's: compression pointers in them lead to the question, which has the same place
/// and length in every reply, or to records before.
struct AnswerContent: Equatable {
    /// NOERROR, NXDOMAIN or YXDOMAIN: others are failures of the upstream.
    var code: UInt16
    /// Records in ANSWER.
    var answerCount: UInt16
    /// Records in AUTHORITY.
    var authorityCount: UInt16
    /// The records, from the end of the question on.
    var body: [UInt8]
    /// Where the records' TTLs are in `body`, in their order.
    var ttlOffsets: [UInt16]
    /// The A or AAAA records that are answered in rotation.
    var rotation: RotatedRecords?
    /// The least TTL of all records, in seconds; of a negative answer that of its SOA (RFC 2308 §5), 0 without one.
    var ttl: UInt32
    /// Whether it says that there is no such name or no such record.
    var isNegative: Bool
    /// What its aliases lead to, if that is not in it.
    var continuation: Continuation?

    /// What an answer's last alias leads to.
    enum Continuation: Equatable {
        /// A name of a zone of ours, whose records are looked up for each reply. It stands in ``AnswerContent/body`` at
        /// `offset`, uncompressed.
        case own([UInt8], offset: UInt16)
        /// A name that upstreams have not told the records of.
        case outside([UInt8])
    }

    /// Whether upstreams have to be asked for more.
    var leadsOutside: Bool {
        if case .outside = continuation { true } else { false }
    }

    /// Whether it may be kept: what is not an answer to the question itself is passed on only.
    var isCacheable: Bool { code == ResponseCode.noError || code == ResponseCode.nameError }
}

/// The addresses in an answer, whose order may change. All records of an RRset have the same owner, type, class and
/// length, so that it is their data alone that changes places.
struct RotatedRecords: Equatable {
    /// The first of them among all records.
    var first: UInt16
    /// How many there are; two or more.
    var count: UInt16
    /// The octets of each one's data: 4 or 16.
    var dataByteCount: UInt8
}
