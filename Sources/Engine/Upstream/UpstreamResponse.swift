/// What a message from an upstream's address is, compared with the query that was sent there. Pure: octets in, verdict
/// out.
enum UpstreamResponse {
    /// Not the answer to this query (RFC 5452 §9.1): keep waiting for it.
    case unrelated
    /// The answer, but with the name's letters in another case: the upstream does not preserve it, or somebody has
    /// forged the answer.
    case otherCase
    /// TC: ask again over TCP (RFC 2181 §9).
    case truncated
    /// FORMERR or NOTIMP to a query with EDNS, which the upstream may not know (RFC 6891 §7): ask again without EDNS.
    case withoutEDNS
    /// Any error of this upstream, or an answer that can't be true: ask another one.
    case failure
    /// An answer to pass on.
    case answer(AnswerContent)

    /// The most CNAME records from the name in the question to the name that has the records.
    static let maximumChainLength = 16

    /// What was sent, as far as it is needed to recognize the answer.
    struct Expectation {
        /// The message that was sent.
        var query: [UInt8]
        /// The key of the question.
        var key: CacheKey
        var id: UInt16
        /// Whether the letters had random case, which the upstream must repeat.
        var checksCase: Bool
        var usesEDNS: Bool

        init(id: UInt16, query: [UInt8], key: CacheKey, checksCase: Bool, usesEDNS: Bool) {
            self.id = id
            self.query = query
            self.key = key
            self.checksCase = checksCase
            self.usesEDNS = usesEDNS
        }

        /// The question, with the name as it was sent.
        var question: RawSpan {
            @_lifetime(borrow self)
            get {
                query.rawSpan.extracting(MessageHeader.byteCount..<(MessageHeader.byteCount + key.name.count + 4))
            }
        }

        /// Whether a message that answers the query repeats the question with the same case of letters.
        func isRepeated(in message: RawSpan) -> Bool {
            let end = MessageHeader.byteCount + question.byteCount
            return end <= message.byteCount
                && message.extracting(MessageHeader.byteCount..<end).hasSameOctets(as: question)
        }

        /// Whether any letter of the name was sent in upper case.
        var hasCapitals: Bool {
            !question.extracting(0..<key.name.count).hasSameOctets(as: key.name.rawSpan)
        }
    }

    /// How a message arrived.
    enum Delivery {
        case datagram
        /// A datagram longer than we have offered to accept. The rest is missing, as if TC were set.
        case truncatedDatagram
        /// Over TCP, where nothing is cut off.
        case stream
    }

    /// Reads a message.
    ///
    /// - Parameter own: the names about which upstreams have no say.
    static func read(
        _ message: RawSpan, _ expected: Expectation, _ delivery: Delivery = .datagram, own: OwnNames = OwnNames()
    ) -> UpstreamResponse {
        guard let header = MessageHeader(message), header.isResponse, header.opcode == 0, header.id == expected.id
        else { return .unrelated }
        let code = header.flags & 0xF
        let isRefusedAsItIs = code == ResponseCode.formatError || code == ResponseCode.notImplemented
        // A server that could not read the query can't repeat its question.
        if header.questionCount == 0, isRefusedAsItIs, message.byteCount == MessageHeader.byteCount {
            return expected.usesEDNS ? .withoutEDNS : .failure
        }
        guard header.questionCount == 1, let question = Question(message),
            question.type == expected.key.type, question.recordClass == RecordClass.internet,
            question.name(in: message).isName(expected.key.name.rawSpan)
        else { return .unrelated }
        // Over TCP the letters need not be checked, since nobody can forge an answer by guessing.
        if expected.checksCase, delivery != .stream, !expected.isRepeated(in: message) { return .otherCase }
        if delivery == .truncatedDatagram { return .truncated }
        if header.flags & HeaderFlags.truncated != 0 { return delivery == .stream ? .failure : .truncated }
        switch code {
        case ResponseCode.noError, ResponseCode.nameError, ResponseCode.nameExists: break
        case _ where isRefusedAsItIs && expected.usesEDNS: return .withoutEDNS
        default: return .failure
        }
        guard
            let content = AnswerReader.read(
                message, header: header, question: question, key: expected.key, own: own)
        else { return .failure }
        return .answer(content)
    }
}
