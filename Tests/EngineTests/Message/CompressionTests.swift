import Testing

@testable import Engine

/// Compression that is made to keep a reader busy. Its cost is counted in steps, not in time.
struct CompressionTests {
    /// The steps of a walk over a name, and the name's end.
    private func walk(_ message: [UInt8], at offset: Int) -> (pointers: Int, labels: Int, end: Int?) {
        var pointers = 0
        var labels = 0
        let end = WireReader.walkName(message.rawSpan, at: offset) { step in
            if case .pointer = step { pointers += 1 } else { labels += 1 }
        }
        return (pointers, labels, end)
    }

    private let header = [UInt8](repeating: 0, count: MessageHeader.byteCount)

    private func pointer(_ place: Int) -> [UInt8] { [0xC0 | UInt8(place >> 8), UInt8(place & 255)] }

    /// The root's name, followed by pointers, each to the one before.
    private func chain(_ count: Int) -> [UInt8] {
        var message = header + [0]
        for number in 0..<count { message += pointer(number == 0 ? 12 : 13 + 2 * (number - 1)) }
        return message
    }

    @Test func `a name ends where it stands, whatever its pointers lead to`() {
        let message = header + [1, 97, 0, 1, 98] + pointer(12) + pointer(15) + [1, 99] + pointer(19)
        #expect(walk(message, at: 12) == (0, 2, 15))
        #expect(walk(message, at: 15) == (1, 3, 19))
        #expect(walk(message, at: 19) == (2, 3, 21))
        #expect(walk(message, at: 21) == (3, 4, 25))
        var name: [UInt8] = []
        _ = WireReader.walkName(message.rawSpan, at: 21) { step in
            if case .label(let label) = step { name += message[label] }
        }
        #expect(name == [1, 99, 1, 98, 1, 97, 0])
    }

    @Test func `pointers lead backwards, behind the header, and are no more than 64`() {
        let most = WireReader.maximumPointerCount
        for count in [1, 2, most] {
            #expect(walk(chain(count), at: 13 + 2 * (count - 1)) == (count, 1, 13 + 2 * count))
        }
        for count in [most + 1, 1000, 5000] {
            let cost = walk(chain(count), at: 13 + 2 * (count - 1))
            #expect(cost.end == nil && cost.pointers == most + 1 && cost.labels == 0)
        }
        // The pointer leads to itself, forward, into the header, or beyond the end. The last one is cut off.
        for target in [13, 14, 20, 0, 11, 0x3FFF] {
            let cost = walk(header + [0] + pointer(target) + [0, 0, 0, 0, 0, 0, 0], at: 13)
            #expect(cost.end == nil && cost.pointers == 1, "\(target)")
        }
        #expect(walk(header + [0, 0xC0], at: 13).end == nil)
        // A label is followed by a pointer to it: it is read once, and not again.
        #expect(walk(header + [1, 97] + pointer(12), at: 12) == (1, 1, nil))
    }

    @Test func `a name is no longer than 255 octets, however it is put together`() {
        let labels = (0..<3).flatMap { _ in [63] + [UInt8](repeating: 120, count: 63) }
        func name(_ last: UInt8) -> [UInt8] {
            header + labels + [0] + [last] + [UInt8](repeating: 121, count: Int(last)) + pointer(12)
        }
        #expect(walk(name(61), at: 205).end == name(61).count)
        #expect(walk(name(62), at: 205).end == nil)
        #expect(walk(header + [64] + [UInt8](repeating: 120, count: 64) + [0], at: 12).end == nil)
    }

    /// An answer for A of the root's child "x" with these octets behind the question, which ends at 19.
    private func answer(_ type: UInt8 = 1, count: Int, _ records: [UInt8]) -> [UInt8] {
        [0, 1, 0x81, 0x80, 0, 1, UInt8(count >> 8), UInt8(count & 255), 0, 0, 0, 0, 1, 120, 0, 0, type, 0, 1] + records
    }

    private func content(_ octets: [UInt8]) -> AnswerContent? {
        let message = octets.rawSpan
        guard let header = MessageHeader(message), let question = Question(message) else { return nil }
        let key = CacheKey(name: question.name(in: message), type: question.type, variant: [])
        return AnswerReader.read(message, header: header, question: question, key: key)
    }

    /// NULL records, each with an owner that leads through many pointers: to the data of the previous record, from
    /// there to its owner, and so on.
    private func longChains(_ count: Int) -> [UInt8] {
        var records: [UInt8] = []
        for number in 0..<count {
            let place = 19 + 14 * number
            let isFirst = number % (WireReader.maximumPointerCount / 2) == 0 || place > 0x3FFF
            records +=
                pointer(isFirst ? 12 : place - 2) + [0, 10, 0, 1, 0, 0, 0, 1, 0, 2] + pointer(min(place, 0x3FFF))
        }
        return records
    }

    @Test func `a message of 64 KB costs only so many steps for each name`() {
        for count in [100, 4000] {
            let octets = answer(10, count: count, longChains(count))
            var steps = 0
            var offset = 19
            var names = 0
            while offset < octets.count {
                let cost = walk(octets, at: offset)
                steps += cost.pointers + cost.labels
                names += 1
                offset += 14
            }
            #expect(names == count && steps <= names * (WireReader.maximumPointerCount + 2))
            #expect(steps >= 1000 && content(octets)?.answerCount == UInt16(count))
        }
    }

    @Test func `owners that lead to themselves or through thousands of pointers are refused`() {
        let address: [UInt8] = [0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4]
        #expect(content(answer(count: 1, pointer(12) + address)) != nil)
        // The message has 35 octets, and its owner leads to itself.
        #expect(content(answer(count: 1, pointer(19) + address)) == nil)
        // 65 KB of pointers, each to the one before, are in data of a type without names. The owner stands behind them.
        var records = pointer(12) + [0, 10, 0, 1, 0, 0, 0, 1, 0x7F, 0xFE]
        let start = 19 + records.count
        records += pointer(12)
        for number in 1..<(0x7FFE / 2) { records += pointer(min(start + 2 * (number - 1), 0x3FFF)) }
        records += pointer(0x3FFF - (0x3FFF - start) % 2) + address
        #expect(content(answer(count: 2, records)) == nil)
    }

    /// Each type with names in its data: the fields before the name, and those behind it.
    static let types: [(type: UInt8, before: [UInt8], after: [UInt8])] = [
        (2, [], []), (5, [], []), (6, [0], [UInt8](repeating: 0, count: 20)), (12, [], []), (15, [0, 1], []),
        (17, [0], []), (18, [0, 1], []), (21, [0, 1], []), (26, [0, 1, 0], []), (33, [0, 1, 0, 1, 0, 1], []),
        (35, [0, 1, 0, 1, 1, 120, 1, 120, 0], []), (36, [0, 1], []), (39, [], []),
        (46, [0, 1, 8, 2, 0, 0, 0, 60, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1], [7, 7, 7, 7]), (47, [], [0, 1, 0x40]),
        (55, [1, 2, 0, 1, 7, 7], []), (64, [0, 1], []), (65, [0, 1], []), (107, [0, 1], []),
    ]

    @Test(arguments: types)
    func `names in data are as bounded as owners, for ldns reads them`(
        type: UInt8, before: [UInt8], after: [UInt8]
    ) {
        func message(_ name: (_ place: Int) -> [UInt8], more: [UInt8] = []) -> [UInt8] {
            // The place is behind the question, the owner and ten octets.
            let place = 19 + 12 + before.count
            let data = before + name(place) + after + more
            return answer(
                type, count: 1, pointer(12) + [0, type, 0, 1, 0, 0, 0, 1, 0, UInt8(data.count)] + data)
        }
        #expect(content(message { _ in [1, 121, 0] }) != nil)
        #expect(content(message { place in [1, 121, 0xC0, 12] }) != nil)
        #expect(content(message { place in pointer(place) }) == nil, "to itself")
        #expect(content(message { place in [1, 121] + pointer(place) }) == nil, "to its own beginning")
        #expect(content(message { place in pointer(place + 2) + [0] }) == nil, "forward")
        // Beyond the fields, ldns would read on as if another record stood there.
        let hasEnd = ![6, 46, 47, 55, 64, 65].contains(type)
        if hasEnd { #expect(content(message({ _ in [1, 121, 0] }, more: pointer(19))) == nil) }
    }

    @Test func `ldns reads nothing beyond a record's fields`() {
        // An address has more than four octets. For ldns the next owner begins behind the fourth.
        let long = pointer(12) + [0, 1, 0, 1, 0, 0, 0, 1, 0, 8, 1, 2, 3, 4] + pointer(35) + pointer(35)
        #expect(content(answer(count: 1, long)) == nil)
    }

    @Test func `a query's records have the same bounds`() throws {
        func read(_ tail: [UInt8]) throws -> Bool {
            let query = try TestQuery("web.service.kong").octets(replacing: [11: 1], appending: tail)
            guard let question = Question(query.rawSpan) else { throw TestFailure("no question") }
            if case .malformed = EDNS.read(query.rawSpan, recordCount: 1, from: question.end) { return false }
            return true
        }
        let end = try TestQuery("web.service.kong").octets.count
        let rest: [UInt8] = [0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4]
        #expect(try read(pointer(12) + rest))
        #expect(try !read(pointer(end) + rest))
        #expect(try !read(pointer(end + 2) + rest))
        #expect(try !read(pointer(0) + rest))
    }
}
