/// The part of a query that is read before it is answered: all that a lookup in the zones needs.
///
/// Reading and answering are two steps. While a batch is being read, the memory that its answers will be copied from is
/// already on its way to the processor's cache.
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

    /// Reads `message`.
    @inline(__always)
    init(_ message: RawSpan, over transport: Transport) {
        self.transport = transport
        header = MessageHeader(message)
        guard let header, !header.isResponse, header.questionCount == 1, let question = Question(message) else {
            readWithoutQuestion(message)
            return
        }
        self.question = question
        let hasOtherRecords = header.answerCount > 0 || header.authorityCount > 0
        rest =
            hasOtherRecords
            ? .malformed : EDNS.read(message, recordCount: Int(header.additionalCount), from: question.end)
    }

    /// Reads a query that may ask for a cookie alone (RFC 7873 §5.4).
    private mutating func readWithoutQuestion(_ message: RawSpan) {
        guard let header, !header.isResponse, header.opcode == 0, header.questionCount == 0, header.answerCount == 0,
            header.authorityCount == 0
        else { return }
        rest = EDNS.read(message, recordCount: Int(header.additionalCount), from: MessageHeader.byteCount)
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
