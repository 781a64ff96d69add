/// Writes the query that an upstream is asked with.
enum UpstreamQuery {
    /// What our OPT record says of the UDP payload: no fragments (DNS Flag Day 2020).
    static let payload: UInt16 = 1232

    /// - Parameters:
    ///   - id: unpredictable.
    ///   - key: what is asked for.
    ///   - usesEDNS: whether the query has an OPT record.
    ///   - random: gives each letter its case (draft-vixie-dnsext-dns0x20): one bit more for a forger to guess; `nil`:
    ///     all small.
    /// - Returns: the message, and its question alone.
    static func make<Random: RandomNumberGenerator>(
        id: UInt16, key: CacheKey, usesEDNS: Bool, mixingCase random: inout Random?
    ) -> (message: [UInt8], question: [UInt8]) {
        var question = key.name
        if var generator = random {
            mixCase(&question, &generator)
            random = generator
        }
        question.append(bigEndian: key.type.rawValue)
        question.append(bigEndian: RecordClass.internet)
        var message: [UInt8] = []
        message.reserveCapacity(MessageHeader.byteCount + question.count + EDNS.byteCount)
        var flags = HeaderFlags.recursionDesired
        if key.variant.contains(.checkingDisabled) { flags |= HeaderFlags.checkingDisabled }
        message.append(bigEndian: id)
        message.append(bigEndian: flags)
        message += [0, 1, 0, 0, 0, 0, 0, usesEDNS ? 1 : 0]
        message += question
        if usesEDNS {
            message.append(0)
            message.append(bigEndian: RecordType.opt.rawValue)
            message.append(bigEndian: payload)
            message += [0, EDNS.version, key.variant.contains(.dnssecOK) ? 0x80 : 0, 0, 0, 0]
        }
        return (message, question)
    }

    private static func mixCase(_ name: inout [UInt8], _ random: inout some RandomNumberGenerator) {
        var bits: UInt64 = 0
        var left = 0
        for index in name.indices where name[index].isLetterASCII {
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
