/// What came from an upstream's address, held against the query that was sent there. Pure: octets in, verdict out.
enum UpstreamResponse {
    /// Not the answer to this query (RFC 5452 §9.1): go on waiting for it.
    case unrelated
    /// The answer, but with the letters of the name in another case: the upstream does not preserve it, or somebody has
    /// forged it.
    case otherCase
    /// TC: ask again over TCP (RFC 2181 §9).
    case truncated
    /// FORMERR or NOTIMP to a query with EDNS, which it may not know (RFC 6891 §7): ask again without.
    case withoutEDNS
    /// An error of this upstream, whichever, or an answer that can't be true: ask another one.
    case failure
    /// An answer to pass on.
    case answer(AnswerContent)

    /// CNAME records that lead from the name that was asked to the one that has the records.
    static let maximumChainLength = 16

    /// What was sent, as far as the answer must repeat it.
    struct Expectation {
        /// The message that was sent.
        var query: [UInt8]
        /// What was asked for.
        var key: CacheKey
        var id: UInt16
        /// Whether the letters got a case by chance, which the upstream must repeat.
        var checksCase: Bool
        var usesEDNS: Bool

        init(id: UInt16, query: [UInt8], key: CacheKey, checksCase: Bool, usesEDNS: Bool) {
            self.id = id
            self.query = query
            self.key = key
            self.checksCase = checksCase
            self.usesEDNS = usesEDNS
        }

        /// The question, its name as it was sent.
        var question: RawSpan {
            @_lifetime(borrow self)
            get {
                query.rawSpan.extracting(MessageHeader.byteCount..<(MessageHeader.byteCount + key.name.count + 4))
            }
        }

        /// Whether a message that answers it repeats the question's letters in their case.
        func isRepeated(in message: RawSpan) -> Bool {
            let end = MessageHeader.byteCount + question.byteCount
            return end <= message.byteCount
                && message.extracting(MessageHeader.byteCount..<end).hasSameOctets(as: question)
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
    ///
    /// - Parameter own: the names that upstreams have no say in.
    static func read(
        _ message: RawSpan, _ expected: Expectation, _ form: Form = .datagram, own: OwnNames = OwnNames()
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
        // Over TCP nobody has to guess them.
        if expected.checksCase, form != .stream, !expected.isRepeated(in: message) { return .otherCase }
        if form == .cutDatagram { return .truncated }
        if header.flags & HeaderFlags.truncated != 0 { return form == .stream ? .failure : .truncated }
        switch code {
        case ResponseCode.noError, ResponseCode.nameError, ResponseCode.nameExists: break
        case _ where isRefusedAsItIs && expected.usesEDNS: return .withoutEDNS
        default: return .failure
        }
        guard let content = AnswerReader.read(message, header, question, key: expected.key, own: own) else {
            return .failure
        }
        return .answer(content)
    }
}
