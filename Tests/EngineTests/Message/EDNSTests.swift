import Testing

@testable import Engine

/// ``EDNS/read(_:recordCount:from:)`` is written by hand. Here it is compared with ldns.
struct EDNSTests {
    private enum Reading: Equatable {
        case none
        case present(LdnsEDNS)
        case malformed
    }

    /// What the engine reads in a query with one question; `nil` if it doesn't get that far.
    private func read(_ octets: [UInt8]) -> Reading? {
        guard let header = MessageHeader(octets.rawSpan), header.questionCount == 1, header.answerCount == 0,
            header.authorityCount == 0, let question = Question(octets.rawSpan)
        else { return nil }
        let end = question.end
        return switch EDNS.read(octets.rawSpan, recordCount: Int(header.additionalCount), from: end) {
        case .none: Reading.none
        case .malformed: .malformed
        case .present(let edns):
            .present(LdnsEDNS(payload: edns.payload, version: edns.version, dnssecOK: edns.dnssecOK))
        }
    }

    /// Whether the engine is right to refuse what ldns accepts. These refusals are stricter on purpose.
    private func isRefusedOnPurpose(_ octets: [UInt8], _ message: LdnsMessage) -> Bool {
        var walker = RecordWalker(octets)
        guard let records = walker.additional() else { return true }
        let options = records.filter { $0.type == RecordType.opt.rawValue }
        return records.count > EDNS.maximumAdditionalRecords  // more than a query has
            || walker.offset != octets.count  // octets behind the last record
            || options.count > 1  // RFC 6891 §6.1.1
            || options.contains { !$0.hasRootOwner }  // RFC 6891 §6.1.2
            || options.contains { !$0.hasWellFormedOptions }  // RFC 6891 §6.1.2
            || records.contains { !$0.hasBoundedOwner }  // pointers lead backwards, and are few
    }

    /// Compares the two readings of a message.
    private func compare(_ octets: [UInt8], _ counts: inout [String: Int]) {
        guard let reading = read(octets) else { return }
        guard let message = LdnsMessage(octets), message.questions.count == 1 else {
            counts["ldns refuses", default: 0] += 1
            return
        }
        switch reading {
        case .malformed:
            counts["refused", default: 0] += 1
            #expect(isRefusedOnPurpose(octets, message), "refused for no reason: \(octets)")
        case .none:
            counts["none", default: 0] += 1
            #expect(message.edns == nil, "\(octets)")
        case .present(let edns):
            counts["present", default: 0] += 1
            #expect(message.edns == edns, "\(octets)")
        }
    }

    @Test func `every payload, version and DO reads as ldns packed it`() throws {
        for payload: UInt16 in [1, 511, 512, 1232, 4096, 65535] {
            for version: UInt8 in [0, 1, 255] {
                for dnssecOK in [false, true] {
                    let query = TestQuery("web.service.kong").offering(
                        payload: payload, version: version, dnssecOK: dnssecOK)
                    #expect(read(try query.octets) == query.edns.map(Reading.present))
                }
            }
        }
        #expect(read(try TestQuery("web.service.kong").octets) == Reading.none)
    }

    @Test func `generated messages read as ldns reads them`() throws {
        var random = SeededRandom(1)
        var counts: [String: Int] = [:]
        for _ in 0..<4000 { compare(try randomQuery(using: &random), &counts) }
        // Each kind was seen; without that this test would prove nothing.
        for kind in ["present", "none", "refused"] { #expect(counts[kind, default: 0] > 100, "\(counts)") }
    }

    @Test func `mutated messages read as ldns reads them`() throws {
        var random = SeededRandom(2)
        var counts: [String: Int] = [:]
        for _ in 0..<20_000 {
            var octets = try randomQuery(using: &random)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let offset = Int.random(in: 10..<octets.count, using: &random)
                switch UInt8.random(in: 0..<4, using: &random) {
                case 0: octets[offset] = UInt8.random(in: 0...255, using: &random)
                case 1: octets[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: octets.insert(UInt8.random(in: 0...255, using: &random), at: offset)
                default: octets.remove(at: offset)
                }
                guard octets.count > 12 else { break }
            }
            compare(octets, &counts)
        }
        for kind in ["present", "none", "refused", "ldns refuses"] {
            #expect(counts[kind, default: 0] > 100, "\(counts)")
        }
    }

    @Test func `what is refused on purpose`() throws {
        let query = try TestQuery("web.service.kong").octets
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        let address: [UInt8] = [0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4]
        func with(_ count: UInt8, _ tail: [UInt8]) -> [UInt8] {
            var octets = query + tail
            octets[11] = count
            return octets
        }
        #expect(read(with(1, opt)) == .present(LdnsEDNS(payload: 1232, version: 0, dnssecOK: false)))
        #expect(read(with(2, address + opt)) == .present(LdnsEDNS(payload: 1232, version: 0, dnssecOK: false)))
        #expect(read(with(2, opt + opt)) == .malformed, "two OPT records")
        #expect(read(with(1, [1, 97] + opt)) == .malformed, "an owner")
        #expect(read(with(1, [0xC0, 12] + opt.dropFirst())) == .malformed, "a compressed owner")
        #expect(read(with(1, opt.dropLast() + [4, 0, 10, 0, 9])) == .malformed, "an option that is cut off")
        #expect(read(with(1, opt.dropLast() + [3, 0, 10, 0])) == .malformed, "half an option")
        #expect(read(with(1, opt + [0])) == .malformed, "octets behind the last record")
        #expect(read(with(0, [0])) == .malformed, "octets behind the question")
        #expect(read(with(1, [])) == .malformed, "a record that is not there")
        #expect(read(with(9, (0..<9).flatMap { _ in address })) == .malformed, "more records than a query has")
        #expect(read(with(8, (0..<8).flatMap { _ in address })) == Reading.none)
    }

    @Test func `a record's length is believed, though ldns reads on inside its data`() throws {
        // The name in an NS record is the root, and octets that look like a record of their own follow it in the data.
        // ldns takes these for the second record. The engine takes the OPT record behind them.
        let inner: [UInt8] = [0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 15]
        let nameServer: [UInt8] = [0, 0, 2, 0, 1, 0, 0, 0, 1, 0, UInt8(1 + inner.count), 0] + inner
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 10, 0, 0]
        let octets = try TestQuery("web.service.kong").octets(replacing: [11: 2], appending: nameServer + opt)
        #expect(LdnsMessage(octets)?.edns == nil)
        #expect(read(octets) == .present(LdnsEDNS(payload: 1232, version: 0, dnssecOK: false)))
    }

    @Test func `an OPT record behind a TSIG record is read, though ldns stops before it`() throws {
        let signature: [UInt8] = [0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0]
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        let octets = try TestQuery("web.service.kong").octets(replacing: [11: 2], appending: signature + opt)
        #expect(LdnsMessage(octets)?.edns == nil)
        #expect(read(octets) == .present(LdnsEDNS(payload: 1232, version: 0, dnssecOK: false)))
    }

    /// A query with up to ten records behind it, most of them well formed.
    private func randomQuery(using random: inout SeededRandom) throws -> [UInt8] {
        var octets = try TestQuery(["web.service.kong", "a.b", "."].randomElement(using: &random) ?? ".").octets
        let count = [0, 1, 1, 1, 2, 3, 10].randomElement(using: &random) ?? 1
        for _ in 0..<count {
            var data: [UInt8] = []
            let isOption = Int.random(in: 0..<3, using: &random) > 0
            if isOption {
                for _ in 0..<Int.random(in: 0..<3, using: &random) {
                    let length = UInt8.random(in: 0..<20, using: &random)
                    data += [0, UInt8.random(in: 0..<20, using: &random), 0, length]
                    data += (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
                }
                if Int.random(in: 0..<10, using: &random) == 0 { data.append(7) }
            } else {
                data = [1, 2, 3, 4]
            }
            let owner: [UInt8] = Int.random(in: 0..<10, using: &random) == 0 ? [0xC0, 12] : [0]
            octets += owner + (isOption ? [0, 41] : [0, 1])
            octets += isOption ? (0..<6).map { _ in UInt8.random(in: 0...255, using: &random) } : [0, 1, 0, 0, 0, 1]
            octets += [0, UInt8(data.count)] + data
        }
        octets[11] = UInt8(count)
        if Int.random(in: 0..<20, using: &random) == 0 { octets.append(0) }
        return octets
    }
}

/// A simple walk over the records of a query, for this test alone.
private struct RecordWalker {
    struct Entry {
        var type: UInt16
        var hasRootOwner: Bool
        var hasBoundedOwner: Bool
        var hasWellFormedOptions: Bool
    }

    private let octets: [UInt8]
    private(set) var offset = 12

    init(_ octets: [UInt8]) {
        self.octets = octets
    }

    private mutating func skipName() -> Bool {
        while offset < octets.count {
            let length = Int(octets[offset])
            if length >= 0xC0 {
                offset += 2
                return offset <= octets.count
            }
            offset += 1 + length
            if length == 0 { return true }
        }
        return false
    }

    private func number(_ offset: Int) -> UInt16 { UInt16(octets[offset]) << 8 | UInt16(octets[offset + 1]) }

    /// The records behind the only question.
    mutating func additional() -> [Entry]? {
        guard skipName() else { return nil }
        offset += 4
        var entries: [Entry] = []
        for _ in 0..<number(10) {
            let owner = offset
            guard skipName(), offset + 10 <= octets.count else { return nil }
            let length = Int(number(offset + 8))
            guard offset + 10 + length <= octets.count else { return nil }
            let data = [UInt8](octets[(offset + 10)..<(offset + 10 + length)])
            entries.append(
                Entry(
                    type: number(offset), hasRootOwner: octets[owner] == 0, hasBoundedOwner: isBounded(owner),
                    hasWellFormedOptions: isWellFormed(data)))
            offset += 10 + length
        }
        return entries
    }

    /// Whether each pointer of a name leads behind the header and before everything read of the name, in few steps.
    private func isBounded(_ owner: Int) -> Bool {
        var place = owner
        var bound = owner
        var count = 0
        for _ in 0..<400 {
            guard place < octets.count else { return false }
            let length = Int(octets[place])
            if length < 0xC0 {
                count += 1 + length
                if length == 0 { return count <= 255 }
                guard length < 64 else { return false }
                place += 1 + length
            } else {
                guard place + 1 < octets.count else { return false }
                place = Int(number(place)) & 0x3FFF
                guard place >= 12, place < bound else { return false }
                bound = place
            }
        }
        return false
    }

    private func isWellFormed(_ options: [UInt8]) -> Bool {
        var rest = options[...]
        while !rest.isEmpty {
            guard rest.count >= 4 else { return false }
            let length = Int(rest[rest.startIndex + 2]) << 8 | Int(rest[rest.startIndex + 3])
            guard rest.count >= 4 + length else { return false }
            rest = rest.dropFirst(4 + length)
        }
        return true
    }
}
