import Testing

@testable import Engine

/// The quick reading of plain addresses against the one that asks ldns.
struct AnswerReaderTests {
    private static let question = (try? wireName("www.example.com")) ?? []

    private func message(_ type: UInt16, additional: [[UInt8]], records: [[UInt8]]) -> [UInt8] {
        var message: [UInt8] = [1, 2, 0x81, 0x80, 0, 1, 0, UInt8(records.count), 0, 0, 0, UInt8(additional.count)]
        message += Self.question + [0, UInt8(type), 0, 1]
        for record in records + additional { message += record }
        return message
    }

    private func read(_ octets: [UInt8]) -> (quick: AnswerContent?, any: AnswerContent?)? {
        let message = octets.rawSpan
        guard let header = MessageHeader(message), let question = Question(message) else { return nil }
        let key = CacheKey(name: question.name(in: message), type: question.type, variant: [])
        return (
            AnswerReader.readAddresses(message, header, question, key: key),
            AnswerReader.readAny(message, header, question, key: key)
        )
    }

    @Test(arguments: [UInt16(1), 28], [1, 2, 7])
    func `plain addresses are read alike`(type: UInt16, count: Int) throws {
        let length = type == 1 ? 4 : 16
        let records = (0..<count).map { number in
            record(type, ttl: UInt32(30 + number), [UInt8](repeating: UInt8(number), count: length))
        }
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        for additional in [[], [opt]] {
            let result = try #require(read(message(type, additional: additional, records: records)))
            let quick = try #require(result.quick)
            #expect(quick == result.any && quick.ttl == 30)
        }
        // An extended response code is about something else.
        let failed: [UInt8] = [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]
        let result = try #require(read(message(type, additional: [failed], records: records)))
        #expect(result.quick == nil && result.any == nil)
    }

    @Test func `whatever is changed in a message, the quick reading never takes what the other does not`() throws {
        var random = SeededRandom(11)
        var taken = 0
        for _ in 0..<50_000 {
            let type: UInt16 = random.next() % 2 == 0 ? 1 : 28
            let records = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                record(
                    type, ttl: UInt32.random(in: 0 ... .max, using: &random),
                    [UInt8](repeating: 9, count: type == 1 ? 4 : 16))
            }
            let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
            var octets = message(type, additional: random.next() % 2 == 0 ? [] : [opt], records: records)
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                switch random.next() % 4 {
                case 0: octets.removeLast(min(octets.count, Int.random(in: 0...20, using: &random)))
                case 1: octets += [UInt8](repeating: 0, count: Int.random(in: 0...20, using: &random))
                default:
                    // Mostly in the header and behind the question.
                    let place = Int.random(in: 0..<max(octets.count, 1), using: &random)
                    if octets.indices.contains(place) {
                        octets[place] = random.next() % 2 == 0 ? UInt8(random.next() % 256) : octets[place] ^ 1
                    }
                }
            }
            guard let result = read(octets), let quick = result.quick else { continue }
            taken += 1
            #expect(quick == result.any, "\(octets)")
        }
        #expect(taken > 5_000)
    }

    @Test func `names may have any octet, but none that changes with the reply`() throws {
        let name: [UInt8] = [3, 0xFF, 0xFE, 0xC8, 1, 0xFD, 0]
        let target: [UInt8] = [2, 0xFF, 0xFF, 0]
        func content(_ type: UInt16, _ name: [UInt8], _ records: [[UInt8]]) -> AnswerContent? {
            var message: [UInt8] = [1, 2, 0x81, 0x80, 0, 1, 0, UInt8(records.count), 0, 0, 0, 0]
            message += name + [0, UInt8(type), 0, 1]
            for record in records { message += record }
            return read(message)?.any
        }
        let addresses = [1, 2].map { record(1, owner: target, [10, 0, 0, $0]) }
        let good = try #require(content(1, name, [record(5, target)] + addresses))
        #expect(good.rotation == RotatedRecords(first: 1, count: 2, dataByteCount: 4))
        // The question ends at 23, the CNAME's target stands at 35, the first address's owner at 38, its data at 50. The
        // second address's owner is "x" wherever it leads, but at 50 only as long as the first address comes first.
        for (place, isTaken) in [(35, true), (38, true), (50, false)] as [(UInt8, Bool)] {
            let records = [
                record(5, [1, 120, 0]), record(1, owner: [0xC0, 35], [1, 120, 0, 9]),
                record(1, owner: [0xC0, place], [1, 121, 0, 9]),
            ]
            #expect((content(1, name, records)?.rotation != nil) == isTaken, "\(place)")
        }
    }
}
