/// Writes a response of records that stand in others: what is left of an answer, or what several together say. No name
/// in it refers to anything that was left out.
struct AnswerComposer {
    private(set) var message: [UInt8]
    private var answerCount: UInt16 = 0
    private var authorityCount: UInt16 = 0
    /// Where names stand that later owners can point to.
    private var places: [[UInt8]: UInt16] = [:]

    /// - Parameters:
    ///   - key: what was asked for.
    ///   - code: the response code, without its upper bits.
    init(_ key: CacheKey, code: UInt16) {
        message = [0, 0, 0x81, UInt8(0x80 | code & 0xF), 0, 1, 0, 0, 0, 0, 0, 0]
        note(key.name)
        message += key.name
        message.append(bigEndian: key.type.rawValue)
        message.append(bigEndian: RecordClass.internet)
    }

    /// Appends records to ANSWER. All of ANSWER comes before AUTHORITY.
    ///
    /// - Parameter source: the message that they stand in.
    /// - Returns: `false` when one is malformed, or the response would be longer than a message can be.
    mutating func append(answers records: [RecordPlace], of source: RawSpan) -> Bool {
        guard append(records, of: source) else { return false }
        answerCount += UInt16(records.count)
        message.replace(at: HeaderOffset.answerCount, bigEndian: answerCount)
        return true
    }

    /// The same for AUTHORITY.
    mutating func append(authority records: [RecordPlace], of source: RawSpan) -> Bool {
        guard append(records, of: source) else { return false }
        authorityCount += UInt16(records.count)
        message.replace(at: HeaderOffset.authorityCount, bigEndian: authorityCount)
        return true
    }

    private mutating func append(_ records: [RecordPlace], of source: RawSpan) -> Bool {
        // A record has 11 octets or more, so that their number has 16 bits.
        for record in records {
            guard append(record, of: source), message.count <= MessageSize.maximum else { return false }
        }
        return true
    }

    private mutating func append(_ record: RecordPlace, of source: RawSpan) -> Bool {
        guard let owner = DomainName.expanded(in: source, at: record.owner) else { return false }
        if let place = places[owner] {
            message.append(bigEndian: 0xC000 | place)
        } else {
            note(owner)
            message += owner
        }
        message.append(bigEndian: record.type.rawValue)
        message.append(bigEndian: record.recordClass)
        message.append(octets: source.extracting(record.ttlOffset..<(record.ttlOffset + 4)))
        let length = message.count
        message += [0, 0]
        var names: [Range<Int>] = []
        guard LdnsValidation.hasBoundedNames(record, in: source, { names.append($0) }) else { return false }
        var position = record.data.lowerBound
        for place in names {
            guard let name = DomainName.uncompressed(in: source, at: place.lowerBound) else { return false }
            message.append(octets: source.extracting(position..<place.lowerBound))
            if record.type == .cname { note(name.map(\.lowercasedASCII)) }
            message += name
            position = place.upperBound
        }
        message.append(octets: source.extracting(position..<record.data.upperBound))
        guard message.count - length - 2 <= Int(UInt16.max) else { return false }
        message.replace(at: length, bigEndian: UInt16(message.count - length - 2))
        return true
    }

    /// Notes that a name begins here, if a pointer reaches it (RFC 1035 §4.1.4).
    private mutating func note(_ name: [UInt8]) {
        guard name.count > 1, message.count <= 0x3FFF, places[name] == nil else { return }
        places[name] = UInt16(message.count)
    }
}
