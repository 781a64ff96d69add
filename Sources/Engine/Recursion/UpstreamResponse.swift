/// What came from an upstream's address, held against the query that was sent there. Pure: octets in, verdict out.
enum UpstreamResponse {
    /// Not the answer to this query (RFC 5452 §9.1): go on waiting for it.
    case unrelated
    /// The answer, but with the letters of the name in another case: the upstream does not preserve it, or somebody has
    /// forged it.
    case otherCase
    /// TC: ask again over TCP (RFC 2181 §9).
    case truncated
    /// FORMERR or NOTIMP: most likely it does not know EDNS (RFC 6891 §7).
    case withoutEDNS
    /// An error of this upstream, or an answer that can't be true: ask another one.
    case failure
    /// An answer to pass on.
    case answer(AnswerContent)

    /// CNAME records that lead from the name that was asked to the one that has the records.
    static let maximumChainLength = 16

    /// What was sent, as far as the answer must repeat it.
    struct Expectation {
        var id: UInt16
        /// The message that was sent.
        var query: [UInt8]
        /// What was asked for.
        var key: CacheKey
        /// Whether the upstream must repeat the letters' case.
        var checksCase: Bool
        var usesEDNS: Bool

        /// The question, its name as it was sent.
        var question: RawSpan {
            @_lifetime(borrow self)
            get {
                query.rawSpan.extracting(MessageHeader.byteCount..<(MessageHeader.byteCount + key.name.count + 4))
            }
        }

        /// Whether the name was sent with any letter that is not small.
        var hasCapitals: Bool {
            !question.extracting(0..<key.name.count).hasSameOctets(as: key.name.rawSpan)
        }
    }

    /// How a message came.
    enum Form {
        case datagram
        /// Longer than what was offered: the rest is not there, as if it had TC.
        case cutDatagram
        /// Over TCP, where nothing is cut off.
        case stream
    }

    /// Reads a message.
    static func read(_ message: RawSpan, _ expected: Expectation, _ form: Form = .datagram) -> UpstreamResponse {
        guard let header = MessageHeader(message), header.isResponse, header.opcode == 0, header.id == expected.id
        else { return .unrelated }
        let code = header.flags & 0xF
        let mayLackEDNS = expected.usesEDNS && (code == ResponseCode.formatError || code == ResponseCode.notImplemented)
        // A server that could not read the query can't repeat its question.
        if header.questionCount == 0, mayLackEDNS, message.byteCount == MessageHeader.byteCount { return .withoutEDNS }
        guard header.questionCount == 1, let question = Question(message) else { return .unrelated }
        let start = MessageHeader.byteCount
        guard message.extracting(start..<question.end).hasSameOctets(as: expected.question) else {
            guard question.type == expected.key.type, question.recordClass == RecordClass.internet,
                question.name(in: message).isName(expected.key.name.rawSpan)
            else { return .unrelated }
            if expected.checksCase { return .otherCase }
            return verdict(message, header, code, question, expected, mayLackEDNS, form)
        }
        return verdict(message, header, code, question, expected, mayLackEDNS, form)
    }

    private static func verdict(
        _ message: RawSpan, _ header: MessageHeader, _ code: UInt16, _ question: Question, _ expected: Expectation,
        _ mayLackEDNS: Bool, _ form: Form
    ) -> UpstreamResponse {
        if form == .cutDatagram { return .truncated }
        if header.flags & HeaderFlags.truncated != 0 { return form == .stream ? .failure : .truncated }
        switch code {
        case ResponseCode.serverFailure, ResponseCode.refused: return .failure
        case _ where mayLackEDNS: return .withoutEDNS
        default: break
        }
        guard let content = AnswerReader.read(message, header, question, key: expected.key) else { return .failure }
        return .answer(content)
    }
}
