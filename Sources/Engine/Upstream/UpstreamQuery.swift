/// Writes queries to upstreams.
enum UpstreamQuery {
    /// The UDP payload in our OPT record, in octets: answers are not fragmented (DNS Flag Day 2020).
    static let payload: UInt16 = 1232
    /// The most octets of a query: header, question and OPT record.
    static let maximumByteCount = MessageHeader.byteCount + DomainName.maximumByteCount + 4 + EDNS.byteCount

    /// The way in which an upstream is asked.
    struct Form: Equatable {
        /// Whether the query has an OPT record.
        var usesEDNS: Bool
        /// Whether the letters have random case (draft-vixie-dnsext-dns0x20). Each is one more bit for a forger to
        /// guess.
        var mixesCase: Bool
    }

    /// - Parameters:
    ///   - id: an unpredictable ID.
    ///   - key: the key of the question.
    /// - Returns: the message.
    static func make(
        id: UInt16, key: CacheKey, _ form: Form, _ random: inout some RandomNumberGenerator
    ) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(MessageHeader.byteCount + key.name.count + 4 + EDNS.byteCount)
        var flags = HeaderFlags.recursionDesired
        if key.variant.contains(.checkingDisabled) { flags |= HeaderFlags.checkingDisabled }
        message.append(bigEndian: id)
        message.append(bigEndian: flags)
        message += [0, 1, 0, 0, 0, 0, 0, form.usesEDNS ? 1 : 0]
        message += key.name
        if form.mixesCase { mixCase(&message, from: MessageHeader.byteCount, &random) }
        message.append(bigEndian: key.type.rawValue)
        message.append(bigEndian: RecordClass.internet)
        if form.usesEDNS {
            message.append(0)
            message.append(bigEndian: RecordType.opt.rawValue)
            message.append(bigEndian: payload)
            message += [0, EDNS.version, key.variant.contains(.dnssecOK) ? 0x80 : 0, 0, 0, 0]
        }
        return message
    }

    private static func mixCase(
        _ name: inout [UInt8], from start: Int, _ random: inout some RandomNumberGenerator
    ) {
        var bits: UInt64 = 0
        var left = 0
        for index in start..<name.count where name[index].isLetterASCII {
            if left == 0 {
                bits = random.next()
                left = 64
            }
            if bits & 1 != 0 { name[index] ^= 0x20 }
            bits >>= 1
            left -= 1
        }
    }
}
