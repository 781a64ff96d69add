/// Turns an upstream's message into what is kept and passed on.
///
/// What of ANSWER and AUTHORITY is about the name that was asked ``AnswerSelection`` says; the rest is left out.
/// ADDITIONAL goes: it may be about anything, and nobody has to send it (RFC 2181 §5.4.1). Read in place, then shown to
/// ldns as a whole; a differential test and a fuzzer hold it against what ldns reads.
enum AnswerReader {
    /// - Parameters:
    ///   - message: with `header` and `question`, which is the one that was asked.
    ///   - key: what was asked for.
    ///   - own: the names that upstreams have no say in.
    /// - Returns: `nil` when the answer is malformed, or can't be true.
    static func read(
        _ message: RawSpan, _ header: MessageHeader, _ question: Question, key: CacheKey, own: OwnNames = OwnNames()
    ) -> AnswerContent? {
        readAddresses(message, header, question, key: key) ?? readAny(message, header, question, key: key, own: own)
    }

    /// Reads the most usual answer: addresses of the name that was asked, and nothing else. There is no name in it that
    /// could be read in two ways, nor a length that could be another than it must, so that ldns, which takes several
    /// times as long, need not be asked; a test holds this against ``readAny(_:_:_:key:)``.
    ///
    /// - Returns: `nil` when it is another answer.
    static func readAddresses(
        _ message: RawSpan, _ header: MessageHeader, _ question: Question, key: CacheKey
    ) -> AnswerContent? {
        // What stands in AUTHORITY then is not passed on.
        let dropsAuthority = header.authorityCount == 0 || !key.variant.contains(.dnssecOK)
        guard key.type == .a || key.type == .aaaa, header.flags & 0xF == ResponseCode.noError,
            header.answerCount > 0, dropsAuthority
        else { return nil }
        let dataByteCount = key.type == .a ? 4 : 16
        let stride = recordHeadByteCount + dataByteCount
        let count = Int(header.answerCount)
        let end = question.end + count * stride
        var offset = end
        guard end <= message.byteCount, RecordPlace.all(message, count: header.authorityCount, from: &offset),
            hasPlainCode(message, count: header.additionalCount, from: offset)
        else { return nil }
        var ttlOffsets: [UInt16] = []
        ttlOffsets.reserveCapacity(count)
        var ttl = UInt32.max
        for index in 0..<count {
            let place = question.end + index * stride
            guard message.uint16(at: place) == pointerToQuestion,
                message.uint16(at: place + 2) == key.type.rawValue,
                message.uint16(at: place + 4) == RecordClass.internet, let field = message.uint32(at: place + 6),
                message.uint16(at: place + 10) == UInt16(truncatingIfNeeded: dataByteCount)
            else { return nil }
            ttl = min(ttl, TTLPolicy.read(field))
            ttlOffsets.append(UInt16(truncatingIfNeeded: index * stride + 6))
        }
        let rotation = RotatedRecords(
            first: 0, count: header.answerCount, dataByteCount: UInt8(truncatingIfNeeded: dataByteCount))
        return AnswerContent(
            code: ResponseCode.noError, answerCount: header.answerCount, authorityCount: 0,
            body: message.extracting(question.end..<end).array, ttlOffsets: ttlOffsets,
            rotation: count > 1 ? rotation : nil, ttl: ttl, isNegative: false)
    }

    /// Owner, as a pointer, type, class, TTL and RDLENGTH.
    private static let recordHeadByteCount = 12
    /// Compressed, the name that was asked (RFC 1035 §4.1.4).
    static let pointerToQuestion = UInt16(0xC000) | UInt16(MessageHeader.byteCount)

    /// What a message is made of.
    enum Origin {
        /// It is an upstream's.
        case upstream
        /// It has been composed here of what is about the name that was asked.
        ///
        /// - Parameter isWhole: whether no upstream knows more of where its aliases lead.
        case composed(isWhole: Bool)
    }

    /// Reads any answer.
    static func readAny(
        _ message: RawSpan, _ header: MessageHeader, _ question: Question, key: CacheKey, own: OwnNames = OwnNames(),
        from origin: Origin = .upstream
    ) -> AnswerContent? {
        var end = question.end
        guard let answers = RecordPlace.section(message, count: header.answerCount, from: &end) else { return nil }
        let answerEnd = end
        guard let authority = RecordPlace.section(message, count: header.authorityCount, from: &end),
            hasPlainCode(message, count: header.additionalCount, from: end),
            var chain = AliasChain(message, answers, key, own: own)
        else { return nil }
        var selection = AnswerSelection(message, answers, of: &chain, key, own: own)
        // What is behind an alias of a name of ours, its code included, is ours to say.
        let code = chain.endsAtOwnName ? ResponseCode.noError : header.flags & 0xF
        let isNegative = code != ResponseCode.noError || !(selection.hasFinalRecord || chain.endsAtOwnName)
        selection.selectAuthority(
            message, authority, of: &chain, isNegative: isNegative,
            wantsProofs: key.variant.contains(.dnssecOK))
        guard answers.isEmpty || isPlausible(selection, of: chain, code) else { return nil }
        let isInPlace =
            selection.answers.count == answers.count
            && (selection.authority.isEmpty || selection.authority.count == authority.count)
        if case .upstream = origin, !isInPlace || chain.endsAtOwnName {
            // A record that is left out must not hide where the next one begins either.
            let seen = selection.authority.isEmpty ? answers : answers + authority
            var composer = AnswerComposer(key, code: code)
            guard seen.allSatisfy({ LdnsValidation.hasBoundedNames($0, in: message) }),
                composer.append(answers: selection.answers, of: message),
                composer.append(authority: selection.authority, of: message)
            else { return nil }
            return read(composer.message, key: key, own: own, isWhole: false)
        }
        guard isInPlace else { return nil }
        let kept = selection.answers + selection.authority
        var body = message.extracting(question.end..<(selection.authority.isEmpty ? answerEnd : end)).array
        lowerNames(of: answers, in: message, from: question.end, &body)
        var content = AnswerContent(
            code: code, answerCount: header.answerCount, authorityCount: UInt16(selection.authority.count),
            body: body, ttlOffsets: kept.map { UInt16(truncatingIfNeeded: $0.ttlOffset - question.end) },
            rotation: chain.endsAtOwnName ? nil : rotation(kept, key.type),
            ttl: ttl(kept, soa: selection.soa, message, isNegative: isNegative), isNegative: isNegative)
        let probe = LdnsValidation.probe(absentIn: content.body, key.name)
        guard LdnsValidation.reads(packed(content, key, probe: probe), as: kept, probe: probe) else { return nil }
        guard let link = chain.links.last else { return content }
        if chain.endsAtOwnName {
            // Within the reach of a pointer, whatever comes behind.
            guard question.end + body.count <= maximumAliasesByteCount else { return nil }
            let offset = answers[link].data.lowerBound - question.end
            content.continuation = .own(chain.end, offset: UInt16(truncatingIfNeeded: offset))
        } else if isNegative, code == ResponseCode.noError, selection.soa == nil, origin.mayBeOpen {
            content.continuation = .outside(chain.end)
        }
        return content
    }

    /// Octets of a message up to where the records of a name of ours begin: signed aliases are far shorter.
    private static let maximumAliasesByteCount = 12_288

    /// Reads a message that was composed here.
    static func read(_ composed: [UInt8], key: CacheKey, own: OwnNames, isWhole: Bool) -> AnswerContent? {
        let message = composed.rawSpan
        guard let header = MessageHeader(message), let question = Question(message) else { return nil }
        return readAny(message, header, question, key: key, own: own, from: .composed(isWhole: isWhole))
    }

    /// Whether an answer with records may be true: those of other names alone say nothing of the one that was asked,
    /// and what has records does exist.
    private static func isPlausible(_ selection: AnswerSelection, of chain: AliasChain, _ code: UInt16) -> Bool {
        guard code == ResponseCode.noError else { return !selection.hasFinalRecord }
        return selection.hasFinalRecord || !chain.links.isEmpty || selection.soa != nil
    }

    /// The addresses whose order may change: those of the last name, if nothing comes behind them. That no name reads
    /// their octets ``LdnsValidation`` sees.
    private static func rotation(_ kept: [RecordPlace], _ type: RecordType) -> RotatedRecords? {
        guard type == .a || type == .aaaa, let first = kept.firstIndex(where: { $0.type == type }) else { return nil }
        let length = type == .a ? 4 : 16
        let run = kept[first...]
        guard run.count > 1, run.allSatisfy({ $0.type == type && $0.data.count == length }) else { return nil }
        return RotatedRecords(
            first: UInt16(truncatingIfNeeded: first), count: UInt16(truncatingIfNeeded: run.count),
            dataByteCount: UInt8(length))
    }

    /// The least TTL of all. Of a negative answer no more than the SOA's MINIMUM, and without a SOA 0, with which it is
    /// not kept (RFC 2308 §5).
    private static func ttl(_ kept: [RecordPlace], soa: RecordPlace?, _ message: RawSpan, isNegative: Bool) -> UInt32 {
        let least = kept.map { TTLPolicy.read($0.ttl) }.min() ?? 0
        guard isNegative else { return least }
        guard let soa, let minimum = message.uint32(at: soa.data.upperBound - 4) else { return 0 }
        return min(least, TTLPolicy.read(minimum))
    }

    /// Whether the OPT record, if there is one, leaves the response code what the header says: others are about the
    /// conversation with this upstream (BADVERS, BADCOOKIE), or unknown.
    private static func hasPlainCode(_ message: RawSpan, count: UInt16, from start: Int) -> Bool {
        var offset = start
        return RecordPlace.all(message, count: count, from: &offset) { $0.type != .opt || $0.ttl >> 24 == 0 }
    }

    /// Owners and names of aliases that are written out get small letters: they may repeat the mixed case of our own
    /// query, a CNAME record that follows from a DNAME record too. Signatures are made of small letters
    /// (RFC 4034 §6.2).
    private static func lowerNames(
        of answers: [RecordPlace], in message: RawSpan, from start: Int, _ body: inout [UInt8]
    ) {
        for record in answers {
            lowerName(at: record.owner, in: message, from: start, &body)
            if record.type == .cname { lowerName(at: record.data.lowerBound, in: message, from: start, &body) }
        }
    }

    private static func lowerName(at place: Int, in message: RawSpan, from start: Int, _ body: inout [UInt8]) {
        var offset = place
        while let length = message.octet(at: offset), length > 0, length <= DomainName.maximumLabelByteCount {
            for place in (offset + 1)..<(offset + 1 + Int(length)) where body.indices.contains(place - start) {
                body[place - start] = body[place - start].lowercasedASCII
            }
            offset += 1 + Int(length)
        }
    }

    /// A message with the content, as a client would get it, with `probe` in place of all that changes with each reply.
    private static func packed(_ content: AnswerContent, _ key: CacheKey, probe: UInt8) -> [UInt8] {
        var body = content.body
        func fill(_ places: Range<Int>) {
            for place in places where place < body.count { body[place] = probe }
        }
        for offset in content.ttlOffsets { fill(Int(offset)..<(Int(offset) + 4)) }
        if let rotation = content.rotation {
            for offset in content.ttlOffsets.dropFirst(Int(rotation.first)).prefix(Int(rotation.count)) {
                let data = Int(offset) + 6
                fill(data..<(data + Int(rotation.dataByteCount)))
            }
        }
        return head(content, key, id: probe) + body
    }

    /// The header, and the question.
    private static func head(_ content: AnswerContent, _ key: CacheKey, id: UInt8) -> [UInt8] {
        var head: [UInt8] = [id, id, 0x81, UInt8(0x80 | content.code & 0xF), 0, 1]
        head.append(bigEndian: content.answerCount)
        head.append(bigEndian: content.authorityCount)
        head += [0, 0] + key.name
        head.append(bigEndian: key.type.rawValue)
        head.append(bigEndian: RecordClass.internet)
        return head
    }

    // MARK: Aliases that lead on

    /// Joins an answer whose aliases lead on with that to the name which they lead to.
    ///
    /// - Parameters:
    ///   - first: the answer to `key`.
    ///   - second: the answer to `next`.
    /// - Returns: `nil` when they are too long, or a loop.
    static func join(
        _ first: AnswerContent, _ key: CacheKey, _ second: AnswerContent, _ next: CacheKey, own: OwnNames
    ) -> AnswerContent? {
        let aliases = head(first, key, id: 0) + first.body
        let rest = head(second, next, id: 0) + second.body
        var composer = AnswerComposer(key, code: second.code)
        var aliasEnd = aliases.count - first.body.count
        var end = rest.count - second.body.count
        guard let links = RecordPlace.section(aliases.rawSpan, count: first.answerCount, from: &aliasEnd),
            // Proofs of an alias that a wildcard has made (RFC 4035 §3.1.3.3).
            let proofs = RecordPlace.section(aliases.rawSpan, count: first.authorityCount, from: &aliasEnd),
            let answers = RecordPlace.section(rest.rawSpan, count: second.answerCount, from: &end),
            let authority = RecordPlace.section(rest.rawSpan, count: second.authorityCount, from: &end),
            composer.append(answers: links, of: aliases.rawSpan),
            composer.append(answers: answers, of: rest.rawSpan),
            composer.append(authority: proofs, of: aliases.rawSpan),
            composer.append(authority: authority, of: rest.rawSpan)
        else { return nil }
        return read(composer.message, key: key, own: own, isWhole: second.continuation == nil)
    }
}

extension AnswerReader.Origin {
    /// Whether aliases may lead on to what an upstream knows.
    fileprivate var mayBeOpen: Bool {
        switch self {
        case .upstream: true
        case .composed(let isWhole): !isWhole
        }
    }
}
