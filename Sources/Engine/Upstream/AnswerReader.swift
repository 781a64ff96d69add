/// Turns an upstream's message into the content that is cached and passed on.
///
/// ``AnswerSelection`` selects the records of ANSWER and AUTHORITY that are about the name in the question; the rest is
/// left out. ADDITIONAL is dropped: it may be about anything, and nobody has to send it (RFC 2181 §5.4.1).
enum AnswerReader {
    /// - Parameters:
    ///   - header: the header of the message.
    ///   - question: the question of the message, which is the one that was asked.
    ///   - key: the key of the question.
    ///   - own: the names about which upstreams have no say.
    /// - Returns: `nil` if the answer is malformed, or can't be true.
    static func read(
        _ message: RawSpan, header: MessageHeader, question: Question, key: CacheKey, own: OwnNames = OwnNames()
    ) -> AnswerContent? {
        readAddresses(message, header: header, question: question, key: key)
            ?? readAny(message, header: header, question: question, key: key, own: own)
    }

    /// Reads the most common answer: addresses of the name in the question, and nothing else. It has no name that could
    /// be read in two ways, and every length in it is fixed. So ldns, which takes several times as long, need not be
    /// asked. A test compares this with `readAny`.
    ///
    /// - Returns: `nil` if it is another answer.
    static func readAddresses(
        _ message: RawSpan, header: MessageHeader, question: Question, key: CacheKey
    ) -> AnswerContent? {
        // In these cases no record of AUTHORITY is passed on.
        let dropsAuthority = header.authorityCount == 0 || !key.variant.contains(.dnssecOK)
        // ldns writes the root's name, which has one octet, instead of a pointer to it.
        guard key.type == .a || key.type == .aaaa, header.flags & 0xF == ResponseCode.noError,
            header.answerCount > 0, dropsAuthority, key.name.count > 1
        else { return nil }
        let dataByteCount = key.type == .a ? 4 : 16
        let stride = recordHeadByteCount + dataByteCount
        let count = Int(header.answerCount)
        let end = question.end + count * stride
        var offset = end
        guard end <= message.byteCount, WireReader.all(message, count: header.authorityCount, from: &offset),
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

    /// The octets before a record's data: owner (a pointer), type, class, TTL and RDLENGTH.
    private static let recordHeadByteCount = 12
    /// The compressed form of the name in the question (RFC 1035 §4.1.4).
    static let pointerToQuestion = UInt16(0xC000) | UInt16(MessageHeader.byteCount)

    /// Reads any answer. ldns reads its records, and writes those of them that are passed on.
    static func readAny(
        _ message: RawSpan, header: MessageHeader, question: Question, key: CacheKey, own: OwnNames = OwnNames()
    ) -> AnswerContent? {
        var octets = message.array
        // Names that point to the question must not get the random case that was drawn for our query.
        octets.replaceSubrange(MessageHeader.byteCount..<(MessageHeader.byteCount + key.name.count), with: key.name)
        var end = question.end
        guard
            let part = Part(
                octets, answerCount: header.answerCount, authorityCount: header.authorityCount, from: &end),
            hasPlainCode(message, count: header.additionalCount, from: end)
        else { return nil }
        return content(of: [part], code: header.flags & 0xF, key: key, own: own, mayBeOpen: true)
    }

    /// A message whose records ``WireReader`` has passed.
    private struct Part {
        var octets: [UInt8]
        let answers: [RecordPlace]
        let authority: [RecordPlace]

        /// - Parameter offset: the offset of the records; afterwards that of the end of AUTHORITY.
        init?(_ octets: [UInt8], answerCount: UInt16, authorityCount: UInt16, from offset: inout Int) {
            guard let answers = WireReader.section(octets.rawSpan, count: answerCount, from: &offset),
                let authority = WireReader.section(octets.rawSpan, count: authorityCount, from: &offset)
            else { return nil }
            self.octets = octets
            self.answers = answers
            self.authority = authority
        }
    }

    /// The content of several messages together.
    ///
    /// - Parameters:
    ///   - code: the response code, without its upper bits.
    ///   - mayBeOpen: whether upstreams may have to be asked for the name that the aliases lead to.
    private static func content(
        of messages: [Part], code: UInt16, key: CacheKey, own: OwnNames, mayBeOpen: Bool
    ) -> AnswerContent? {
        var parts = messages
        guard var packet = LdnsPacket() else { return nil }
        for index in parts.indices {
            guard packet.read(answers: parts[index].answers, of: &parts[index].octets, name: key.name) else {
                return nil
            }
        }
        guard var chain = AliasChain(from: packet, key: key, own: own) else { return nil }
        var selection = AnswerSelection(from: packet, of: &chain, key: key, own: own)
        // If an alias leads to a name of ours, this server decides what follows, including the code.
        let code = chain.endsAtOwnName ? ResponseCode.noError : code
        let isNegative = code != ResponseCode.noError || !(selection.hasFinalRecord || chain.endsAtOwnName)
        let wantsProofs = key.variant.contains(.dnssecOK)
        if !chain.endsAtOwnName, isNegative || wantsProofs {
            for index in parts.indices {
                guard packet.read(authority: parts[index].authority, of: &parts[index].octets) else { return nil }
            }
            selection.selectAuthority(from: packet, of: &chain, isNegative: isNegative, wantsProofs: wantsProofs)
        }
        guard packet.answers.isEmpty || isPlausible(selection, of: chain, code) else { return nil }
        let kept = selection.answers + selection.authority
        let byteCount = parts.reduce(0) { $0 + $1.octets.count }
        guard var writer = LdnsWriter(question: key.name, byteCount: byteCount) else { return nil }
        let questionEnd = MessageHeader.byteCount + key.name.count + 4
        let ownLink = chain.endsAtOwnName ? chain.links.last : nil
        var ttlOffsets: [UInt16] = []
        ttlOffsets.reserveCapacity(kept.count)
        var continuation: AnswerContent.Continuation?
        for record in kept {
            let isOwnLink = record.index == ownLink && record.section == .answer
            // Records behind an alias of a name of ours point to that name, so it must not be compressed.
            guard let place = packet.write(record, writesNamesOut: isOwnLink, to: &writer) else { return nil }
            let offset = UInt16(truncatingIfNeeded: place - questionEnd)
            ttlOffsets.append(offset)
            // The name follows TTL and RDLENGTH.
            if isOwnLink { continuation = .own(chain.end, offset: offset &+ 6) }
        }
        let body = writer.body
        if chain.endsAtOwnName {
            // Whatever follows, it stays within the reach of a pointer.
            guard questionEnd + body.count <= maximumAliasesByteCount else { return nil }
        } else if !chain.links.isEmpty, isNegative, code == ResponseCode.noError, selection.soa == nil, mayBeOpen {
            continuation = .outside(chain.end)
        }
        let minimum = selection.soa.flatMap { packet.uint32(in: $0, field: minimumField) }
        return AnswerContent(
            code: code, answerCount: UInt16(truncatingIfNeeded: selection.answers.count),
            authorityCount: UInt16(truncatingIfNeeded: selection.authority.count), body: body, ttlOffsets: ttlOffsets,
            rotation: chain.endsAtOwnName ? nil : rotation(kept, key.type),
            ttl: ttl(kept, minimum: minimum, isNegative: isNegative), isNegative: isNegative,
            continuation: continuation)
    }

    /// The most octets of a message in front of the records of a name of ours. Signed aliases are far shorter.
    private static let maximumAliasesByteCount = 12_288

    /// The index of MINIMUM among the fields of a SOA record's data (RFC 1035 §3.3.13).
    private static let minimumField = 6

    /// Whether an answer with records may be true. Records of other names alone say nothing about the name in the
    /// question, and a name with records does exist.
    private static func isPlausible(_ selection: AnswerSelection, of chain: AliasChain, _ code: UInt16) -> Bool {
        guard code == ResponseCode.noError else { return !selection.hasFinalRecord }
        return selection.hasFinalRecord || !chain.links.isEmpty || selection.soa != nil
    }

    /// The addresses whose order may change: those of the last name, if nothing follows them.
    private static func rotation(_ kept: [PacketRecord], _ type: RecordType) -> RotatedRecords? {
        guard type == .a || type == .aaaa, let first = kept.firstIndex(where: { $0.type == type }) else { return nil }
        let run = kept[first...]
        guard run.count > 1, run.allSatisfy({ $0.type == type }) else { return nil }
        return RotatedRecords(
            first: UInt16(truncatingIfNeeded: first), count: UInt16(truncatingIfNeeded: run.count),
            dataByteCount: type == .a ? 4 : 16)
    }

    /// The lowest TTL of all records, in seconds. For a negative answer it is at most the SOA's MINIMUM. Without a SOA
    /// it is 0, and the answer is not cached (RFC 2308 §5).
    private static func ttl(_ kept: [PacketRecord], minimum: UInt32?, isNegative: Bool) -> UInt32 {
        let least = kept.map { TTLPolicy.read($0.ttl) }.min() ?? 0
        guard isNegative else { return least }
        return minimum.map { min(least, TTLPolicy.read($0)) } ?? 0
    }

    /// Whether an OPT record, if there is one, leaves the header's response code unchanged. Extended codes concern the
    /// exchange with this upstream (BADVERS, BADCOOKIE), or are unknown.
    private static func hasPlainCode(_ message: RawSpan, count: UInt16, from start: Int) -> Bool {
        var offset = start
        return WireReader.all(message, count: count, from: &offset) { $0.type != .opt || $0.ttl >> 24 == 0 }
    }

    // MARK: Aliases that lead on

    /// Joins an answer whose aliases are left open with the answer about the name that they lead to.
    ///
    /// - Parameters:
    ///   - first: the answer to `key`.
    ///   - second: the answer to `next`.
    /// - Returns: `nil` if the result is malformed or too long, or its aliases are a loop.
    static func join(
        _ first: AnswerContent, to key: CacheKey, with second: AnswerContent, to next: CacheKey, own: OwnNames
    ) -> AnswerContent? {
        // The first answer may have proofs for an alias that comes from a wildcard (RFC 4035 §3.1.3.3).
        guard let aliases = part(first, to: key), let rest = part(second, to: next) else { return nil }
        return content(
            of: [aliases, rest], code: second.code, key: key, own: own, mayBeOpen: second.continuation != nil)
    }

    /// The message that has the content as a part, for content that was written before.
    private static func part(_ content: AnswerContent, to key: CacheKey) -> Part? {
        let head = [UInt8](repeating: 0, count: MessageHeader.byteCount) + key.name + [0, 0, 0, 0]
        var end = head.count
        return Part(
            head + content.body, answerCount: content.answerCount, authorityCount: content.authorityCount, from: &end)
    }
}
