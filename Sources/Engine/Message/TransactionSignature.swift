/// The TSIG record of a query (RFC 8945 §4.2). No keys are known here, so every one is by an unknown key.
struct TransactionSignature {
    /// BADKEY: the key is not known (RFC 8945 §3).
    private static let badKey: UInt16 = 17
    /// The octets of the time when it was made and of the fudge.
    private static let timeByteCount = 8

    /// The offset of the key's name.
    private let owner: Int
    /// The offset of the algorithm's name, which is not compressed.
    private let algorithm: Int
    /// The offset of the time.
    private let time: Int
    /// The offset of the query's original ID, behind the MAC.
    private let originalID: Int

    /// What was found behind the question.
    enum Reading {
        /// No signature.
        case none
        /// One signature, as the last record.
        case present(TransactionSignature)
        /// A signature that is malformed or not the last record.
        case malformed
    }

    /// Looks for a signature among the records behind the question.
    ///
    /// - Parameter offset: the offset of the first record.
    static func read(_ message: RawSpan, _ header: MessageHeader, from offset: Int) -> Reading {
        var offset = offset
        let recordCount = header.recordCount
        for number in 0..<recordCount {
            guard let record = RecordPlace(message, at: offset) else { return .malformed }
            offset = record.data.upperBound
            // RFC 6891 §6.1.1: OPT is in ADDITIONAL.
            if record.type == .opt, number < recordCount - Int(header.additionalCount) { return .malformed }
            guard record.type == .tsig else { continue }
            // RFC 8945 §5.1: it is the last record of ADDITIONAL. A query has none in ANSWER.
            guard number == recordCount - 1, header.additionalCount > 0, header.answerCount == 0,
                record.recordClass == RecordClass.any, record.ttl == 0,
                let signature = TransactionSignature(message, record)
            else { return .malformed }
            return .present(signature)
        }
        return .none
    }

    private init?(_ message: RawSpan, _ record: RecordPlace) {
        owner = record.owner
        algorithm = record.data.lowerBound
        guard let nameByteCount = DomainName.uncompressedByteCount(in: message, at: algorithm) else { return nil }
        time = algorithm + nameByteCount
        guard let macByteCount = message.uint16(at: time + Self.timeByteCount) else { return nil }
        originalID = time + Self.timeByteCount + 2 + Int(macByteCount)
        // Original ID and error are in front of the other data.
        guard let otherByteCount = message.uint16(at: originalID + 4),
            originalID + 6 + Int(otherByteCount) == record.data.upperBound
        else { return nil }
    }

    /// Appends the record that says that the key is not known (RFC 8945 §5.2.1): the query's without MAC. It is left
    /// out if there is no room for it.
    ///
    /// - Parameters:
    ///   - reply: the whole reply otherwise.
    ///   - limit: the most octets of the reply.
    @_lifetime(reply: copy reply)
    func appendUnknownKey(of query: RawSpan, to reply: inout OutputRawSpan, limit: Int) {
        var name: [UInt8] = []
        _ = WireReader.walkName(query, at: owner) { step in
            if case .label(let range) = step { name += query.extracting(range).array }
        }
        let data = query.extracting(algorithm..<(time + Self.timeByteCount))
        let dataByteCount = data.byteCount + 8
        guard let id = query.uint16(at: originalID), reply.byteCount + name.count + 10 + dataByteCount <= limit,
            let count = reply.bytes.uint16(at: HeaderOffset.additionalCount)
        else { return }
        reply.append(octets: name.rawSpan)
        reply.append(bigEndian: RecordType.tsig.rawValue)
        reply.append(bigEndian: RecordClass.any)
        reply.append(bigEndian: UInt32(0))
        reply.append(bigEndian: UInt16(truncatingIfNeeded: dataByteCount))
        reply.append(octets: data)
        reply.append(bigEndian: UInt16(0))
        reply.append(bigEndian: id)
        reply.append(bigEndian: Self.badKey)
        reply.append(bigEndian: UInt16(0))
        reply.replace(at: HeaderOffset.additionalCount, bigEndian: count &+ 1)
    }
}
