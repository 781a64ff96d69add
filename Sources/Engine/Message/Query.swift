/// The part of a query that is read before it is answered: all that a lookup in the zones needs.
///
/// Reading and answering are separate steps. While a batch is being read, the memory that its answers will be copied
/// from is already on its way to the processor's cache.
struct Query {
    /// The transport over which it arrived.
    let transport: Transport
    /// `nil`: the message is too short to have one.
    let header: MessageHeader?
    /// `nil`: the query does not have exactly one (RFC 9619), or it is malformed.
    private(set) var question: Question?
    /// What follows the question.
    private(set) var rest = EDNS.Reading.none
    /// The position of its name in the zone; `nil`: it is in no zone, or there is no question.
    var position: DomainName.Position?
    /// The index of the zone.
    var zone = 0
    /// The ``NameHash`` of the labels above the origin; 0 if there are none. For a name outside, the hash of the whole
    /// name and the type, if there is an upstream.
    var hash: UInt64 = 0
    /// What is known of its name's entry in the zone.
    var entry = Entry.unknown

    enum Entry {
        /// It has not been looked for.
        case unknown
        /// There is none.
        case missing
        /// Its index in the shard.
        case found(Int)
    }

    /// Reads `message`.
    @inline(__always)
    init(_ message: RawSpan, over transport: Transport) {
        self.transport = transport
        header = MessageHeader(message)
        guard let header, !header.isResponse else { return }
        guard header.questionCount == 1, let question = Question(message) else {
            // Its OPT record counts all the same (RFC 6891 §6.1.1).
            if header.questionCount == 0 { rest = Self.readRest(message, header, from: MessageHeader.byteCount) }
            return
        }
        self.question = question
        rest = Self.readRest(message, header, from: question.end)
    }

    @inline(__always)
    private static func readRest(_ message: RawSpan, _ header: MessageHeader, from offset: Int) -> EDNS.Reading {
        guard header.hasOtherRecords else {
            return EDNS.read(message, recordCount: Int(header.additionalCount), from: offset)
        }
        return readBehindRecords(message, header, from: offset)
    }

    /// Reads the OPT record of a message with records in front of ADDITIONAL: an IXFR query, or one that is wrong. The
    /// reply to that one has an OPT record too.
    private static func readBehindRecords(
        _ message: RawSpan, _ header: MessageHeader, from start: Int
    ) -> EDNS.Reading {
        var offset = start
        let limit = EDNS.maximumAdditionalRecords
        guard header.answerCount <= limit, header.authorityCount <= limit,
            WireReader.all(message, count: header.answerCount, from: &offset),
            WireReader.all(message, count: header.authorityCount, from: &offset)
        else { return .malformed }
        return EDNS.read(message, recordCount: Int(header.additionalCount), from: offset)
    }

    /// Checks whether a name is in a zone, and if so keeps its position.
    ///
    /// - Parameters:
    ///   - zone: the zone's index.
    ///   - origin: the zone's name in wire form and lower case.
    @inline(__always)
    mutating func find(_ name: RawSpan, inZone zone: Int, origin: RawSpan) -> Bool {
        // Usually this octet alone decides: it is the length of the origin's first label.
        guard let length = name.octet(at: name.byteCount &- origin.byteCount), length == origin.octet(at: 0),
            let position = DomainName.position(of: name, in: origin)
        else { return false }
        self.position = position
        self.zone = zone
        if position.relativeByteCount > 0 { hash = NameHash.hash(name.extracting(0..<position.relativeByteCount)) }
        return true
    }
}
