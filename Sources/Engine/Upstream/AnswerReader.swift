/// Turns an upstream's message into what is kept and passed on.
///
/// ANSWER must be about the name that was asked and the names that its CNAME records lead to, and nothing else.
/// AUTHORITY stays where it is of use: the SOA of a negative answer, and what a validator needs. ADDITIONAL goes: it
/// may be about anything, and nobody has to send it (RFC 2181 §5.4.1). Read in place, then shown to ldns as a whole;
/// a differential test and a fuzzer hold it against what ldns reads.
enum AnswerReader {
    /// - Parameters:
    ///   - message: with `header` and `question`, which is the one that was asked.
    ///   - key: what was asked for.
    /// - Returns: `nil` when the answer is malformed, or can't be true.
    static func read(_ message: RawSpan, _ header: MessageHeader, _ question: Question, key: CacheKey) -> AnswerContent?
    {
        readAddresses(message, header, question, key: key) ?? readAny(message, header, question, key: key)
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
            first: 0, count: header.answerCount, dataByteCount: UInt16(truncatingIfNeeded: dataByteCount))
        return AnswerContent(
            code: ResponseCode.noError, answerCount: header.answerCount, authorityCount: 0,
            body: message.extracting(question.end..<end).array, ttlOffsets: ttlOffsets,
            rotation: count > 1 ? rotation : nil, ttl: ttl, isNegative: false)
    }

    /// Owner, as a pointer, type, class, TTL and RDLENGTH.
    private static let recordHeadByteCount = 12
    /// Compressed, the name that was asked (RFC 1035 §4.1.4).
    fileprivate static let pointerToQuestion = UInt16(0xC000) | UInt16(MessageHeader.byteCount)

    /// Reads any answer.
    static func readAny(
        _ message: RawSpan, _ header: MessageHeader, _ question: Question, key: CacheKey
    ) -> AnswerContent? {
        var end = question.end
        guard let answers = RecordPlace.section(message, count: header.answerCount, from: &end) else { return nil }
        let answerEnd = end
        guard let authority = RecordPlace.section(message, count: header.authorityCount, from: &end),
            hasPlainCode(message, count: header.additionalCount, from: end),
            var chain = Chain(message, answers, key)
        else { return nil }
        let code = header.flags & 0xF
        let isNegative = code != ResponseCode.noError || !chain.hasFinalRecord
        let soa = authority.first { $0.type == .soa && chain.isCovered(message, $0) }
        let keepsAuthority =
            isNegative ? soa != nil || key.variant.contains(.dnssecOK) : key.variant.contains(.dnssecOK)
        let kept = keepsAuthority ? answers + authority : answers
        guard kept.allSatisfy({ $0.recordClass == RecordClass.internet && $0.type != .opt }) else { return nil }
        let bodyEnd = keepsAuthority ? end : answerEnd
        var body = message.extracting(question.end..<bodyEnd).array
        lowerOwners(of: answers, in: message, from: question.end, &body)
        let content = AnswerContent(
            code: code, answerCount: header.answerCount, authorityCount: keepsAuthority ? header.authorityCount : 0,
            body: body, ttlOffsets: kept.map { UInt16(truncatingIfNeeded: $0.ttlOffset - question.end) },
            rotation: chain.rotation(kept, key.type),
            ttl: ttl(kept, soa: soa, message, isNegative: isNegative), isNegative: isNegative)
        let probe = LdnsValidation.probe(absentIn: content.body, key.name)
        return LdnsValidation.reads(packed(content, key, probe: probe), as: kept, probe: probe) ? content : nil
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

    /// Owners that are written out get small letters: they may repeat the mixed case of our own query.
    private static func lowerOwners(
        of answers: [RecordPlace], in message: RawSpan, from start: Int, _ body: inout [UInt8]
    ) {
        for record in answers {
            var offset = record.owner
            while let length = message.octet(at: offset), length > 0, length <= DomainName.maximumLabelByteCount {
                for place in (offset + 1)..<(offset + 1 + Int(length)) {
                    body[place - start] = body[place - start].lowercasedASCII
                }
                offset += 1 + Int(length)
            }
        }
    }

    /// A message with the content, as a client would get it, with `probe` in place of all that changes with each reply.
    private static func packed(_ content: AnswerContent, _ key: CacheKey, probe: UInt8) -> [UInt8] {
        var message: [UInt8] = [probe, probe, 0x81, UInt8(0x80 | content.code & 0xF), 0, 1]
        message.append(bigEndian: content.answerCount)
        message.append(bigEndian: content.authorityCount)
        message += [0, 0] + key.name
        message.append(bigEndian: key.type.rawValue)
        message.append(bigEndian: RecordClass.internet)
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
        return message + body
    }
}

/// The names that an answer is about: the one that was asked, and those that CNAME records lead on to.
private struct Chain {
    /// In lower case; the last one has the records that were asked for, if any has.
    private var names: [[UInt8]]
    /// Those names and all above them, once they are needed: a message may ask for thousands of comparisons.
    private var namesAndAbove: Set<[UInt8]>?
    /// Whether there is a record of the type that was asked for, or any if that was asked.
    private(set) var hasFinalRecord = false

    /// - Returns: `nil` when the chain is too long or a loop, or a record is about another name.
    init?(_ message: RawSpan, _ answers: [RecordPlace], _ key: CacheKey) {
        names = [key.name]
        var owners: [[UInt8]] = []
        owners.reserveCapacity(answers.count)
        for record in answers {
            // Nearly always a pointer to the question.
            if message.uint16(at: record.owner) == AnswerReader.pointerToQuestion {
                owners.append(key.name)
            } else {
                guard let owner = DomainName.expanded(in: message, at: record.owner) else { return nil }
                owners.append(owner)
            }
        }
        if key.type != .cname, key.type != .any {
            guard follow(message, answers, owners) else { return nil }
        }
        for (record, owner) in zip(answers, owners) {
            let isOn = names.contains(owner)
            // RFC 6672 §3.1: a DNAME record stands above the name that it redirects.
            let isAbove = record.type == .dname || record.type == .rrsig
            guard isOn || (isAbove && isAtOrAbove(owner)) else { return nil }
            guard record.type == key.type || key.type == .any else { continue }
            if owner == names.last {
                hasFinalRecord = true
            } else if key.type != .any, !isAbove {
                // RFC 1034 §3.6.2: a name with a CNAME record has no other data.
                return nil
            }
        }
    }

    private mutating func follow(_ message: RawSpan, _ answers: [RecordPlace], _ owners: [[UInt8]]) -> Bool {
        guard answers.contains(where: { $0.type == .cname }) else { return true }
        while let next = answers.indices.first(where: { answers[$0].type == .cname && owners[$0] == names.last }) {
            guard names.count <= UpstreamResponse.maximumChainLength,
                let target = DomainName.expanded(in: message, at: answers[next].data.lowerBound),
                !names.contains(target)
            else { return false }
            names.append(target)
        }
        return true
    }

    /// Whether a record's owner is one of the names, or above one: a SOA that can tell what is not there.
    mutating func isCovered(_ message: RawSpan, _ record: RecordPlace) -> Bool {
        guard let owner = DomainName.expanded(in: message, at: record.owner) else { return false }
        return isAtOrAbove(owner)
    }

    /// Whether a name is one of the names, or above one.
    private mutating func isAtOrAbove(_ owner: [UInt8]) -> Bool {
        if let namesAndAbove { return namesAndAbove.contains(owner) }
        var all: Set<[UInt8]> = []
        for name in names {
            var start = 0
            while start < name.count {
                all.insert(Array(name[start...]))
                start += 1 + Int(name[start])
            }
        }
        namesAndAbove = all
        return all.contains(owner)
    }

    /// The addresses whose order may change: those of the last name, if nothing comes behind them. That no name reads
    /// their octets ``LdnsValidation`` sees.
    func rotation(_ kept: [RecordPlace], _ type: RecordType) -> RotatedRecords? {
        guard type == .a || type == .aaaa, let first = kept.firstIndex(where: { $0.type == type }) else { return nil }
        let length = type == .a ? 4 : 16
        let run = kept[first...]
        guard run.count > 1, run.allSatisfy({ $0.type == type && $0.data.count == length }) else { return nil }
        return RotatedRecords(
            first: UInt16(truncatingIfNeeded: first), count: UInt16(truncatingIfNeeded: run.count),
            dataByteCount: UInt16(length))
    }
}
