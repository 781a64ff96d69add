/// What makes answers to the same question differ.
struct AnswerVariant: OptionSet, Hashable, Sendable, BitwiseCopyable {
    let rawValue: UInt8

    /// DO: with DNSSEC records (RFC 3225).
    static let dnssecOK = AnswerVariant(rawValue: 1)
    /// CD: not validated (RFC 4035 §3.2.2).
    static let checkingDisabled = AnswerVariant(rawValue: 2)

    init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The variants that ask for less, best first: their answers contain nothing that is wrong for this one. Answers
    /// that nobody has validated go only to clients that ask for that.
    var simpler: [AnswerVariant] {
        switch self {
        case []: []
        case [.dnssecOK, .checkingDisabled]: [.dnssecOK, .checkingDisabled, []]
        default: [[]]
        }
    }

    /// The variant that a query asks for.
    ///
    /// - Parameters:
    ///   - flags: the query's, or those of its reply, in which CD is repeated.
    ///   - dnssecOK: DO.
    @inline(__always)
    init(flags: UInt16, dnssecOK: Bool) {
        var bits: UInt8 = 0
        if dnssecOK { bits |= Self.dnssecOK.rawValue }
        if flags & HeaderFlags.checkingDisabled != 0 { bits |= Self.checkingDisabled.rawValue }
        rawValue = bits
    }

    /// The variant that the query asks for whose reply has this frame.
    @inline(__always)
    init(_ frame: ReplyFrame) {
        self.init(flags: frame.flags, dnssecOK: frame.opt?.dnssecOK == true)
    }
}

/// A question of class IN in one variant, as a key.
struct CacheKey: Hashable, Sendable {
    /// QNAME in wire form and lower case.
    let name: [UInt8]
    let type: RecordType
    let variant: AnswerVariant
    /// The hash by which the cache finds it. It is seeded, so that nobody can choose colliding names.
    let hash: UInt64

    /// The key of a question.
    ///
    /// - Parameter name: QNAME in wire form, in any case.
    init(name: RawSpan, type: RecordType, variant: AnswerVariant) {
        var lower: [UInt8] = []
        lower.reserveCapacity(name.byteCount)
        lower.append(lowerCase: name)
        hash = NameHash.hash(lower.rawSpan, type: type)
        self.name = lower
        self.type = type
        self.variant = variant
    }

    static func == (left: CacheKey, right: CacheKey) -> Bool {
        left.hash == right.hash && left.type == right.type && left.variant == right.variant && left.name == right.name
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(hash)
    }
}
