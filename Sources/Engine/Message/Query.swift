/// A query as far as it is read before it is answered: all that a lookup in the zone needs.
///
/// Reading and answering are two steps so that, while a batch is read, the memory that its answers will be copied from
/// is already on its way to the processor's cache.
struct Query {
    /// How it came in.
    let transport: Transport
    /// `nil`: too short to have one.
    let header: MessageHeader?
    /// `nil`: there is not exactly one (RFC 9619), or it is malformed.
    private(set) var question: Question?
    /// What stands behind the question.
    private(set) var rest = EDNS.Reading.none
    /// Where the asked name stands in its zone; `nil`: in none, or there is no question.
    var position: DomainName.Position?
    /// The place of its zone.
    var zone = 0
    /// The ``NameHash`` of its labels above the origin; 0 without any. Of a name outside, that of the whole name and
    /// the type, where that is of use.
    var hash: UInt64 = 0

    /// Reads `message`.
    @inline(__always)
    init(_ message: RawSpan, over transport: Transport) {
        self.transport = transport
        header = MessageHeader(message)
        guard let header, !header.isResponse, header.questionCount == 1, let question = Question(message) else {
            return
        }
        self.question = question
        let hasOtherRecords = header.answerCount > 0 || header.authorityCount > 0
        rest =
            hasOtherRecords
            ? .malformed : EDNS.read(message, recordCount: Int(header.additionalCount), from: question.end)
    }

    /// Looks whether the asked name is in a zone.
    ///
    /// - Parameters:
    ///   - zone: its place.
    ///   - origin: its name in wire form and lower case.
    @inline(__always)
    mutating func find(_ name: RawSpan, inZone zone: Int, origin: RawSpan) -> Bool {
        // Most often this octet tells already: the length of the origin's first label.
        guard let length = name.octet(at: name.byteCount &- origin.byteCount), length == origin.octet(at: 0),
            let position = DomainName.position(of: name, in: origin)
        else { return false }
        self.position = position
        self.zone = zone
        if position.relativeByteCount > 0 { hash = NameHash.hash(name.extracting(0..<position.relativeByteCount)) }
        return true
    }
}
