/// A query as far as it is read before it is answered: all that a lookup in the zone needs.
///
/// Reading and answering are two steps so that, while a batch is read, the memory that its answers will be copied from
/// is already on its way to the processor's cache.
struct Query {
    /// `nil`: too short to have one.
    let header: MessageHeader?
    /// `nil`: there is not exactly one (RFC 9619), or it is malformed.
    private(set) var question: Question?
    /// Where the asked name stands in the zone; `nil`: outside, or there is no question.
    private(set) var position: DomainName.Position?
    /// The ``NameHash`` of its labels above the origin; 0 without any. Of a name outside, that of the whole name and
    /// the type, where that is of use.
    var hash: UInt64 = 0

    /// Reads `message`.
    ///
    /// - Parameter origin: the zone's name in wire form and lower case.
    @inline(__always)
    init(_ message: RawSpan, origin: RawSpan) {
        header = MessageHeader(message)
        guard let header, !header.isResponse, header.questionCount == 1, let question = Question(message) else {
            return
        }
        self.question = question
        let name = question.name(in: message)
        position = DomainName.position(of: name, in: origin)
        guard let position, position.relativeByteCount > 0 else { return }
        hash = NameHash.hash(name.extracting(0..<position.relativeByteCount))
    }
}
