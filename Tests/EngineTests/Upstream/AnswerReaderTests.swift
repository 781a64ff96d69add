import Testing

@testable import Engine

/// The quick reader of plain addresses compared with the one that uses ldns, and what neither accepts.
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
            AnswerReader.readAddresses(message, header: header, question: question, key: key),
            AnswerReader.readAny(message, header: header, question: question, key: key)
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
        // The extended response code makes it an error.
        let failed: [UInt8] = [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]
        let result = try #require(read(message(type, additional: [failed], records: records)))
        #expect(result.quick == nil && result.any == nil)
    }

    @Test func `addresses of the root are for ldns, which writes no pointer to it`() throws {
        let address = record(1, [192, 0, 2, 1])
        let result = try #require(read([1, 2, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + [0, 0, 1, 0, 1] + address))
        #expect(result.quick == nil && result.any?.body == record(1, owner: [0], [192, 0, 2, 1]))
    }

    @Test func `whatever is changed in a message, the quick reader never accepts what the other does not`() throws {
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
                    // Most changes are in the header and behind the question.
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

    @Test func `names may have any octet, and no name refers to octets that change with the reply`() throws {
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
        // The question ends at 23. The CNAME's target stands at 35, the first address's owner at 38, and its data at
        // 50. From each of these places the second address's owner reads as "x", but from 50 only as long as the first
        // address comes first. The pointer that ldns writes leads to a name.
        for place: UInt8 in [35, 38, 50] {
            let records = [
                record(5, [1, 120, 0]), record(1, owner: [0xC0, 35], [1, 120, 0, 9]),
                record(1, owner: [0xC0, place], [1, 121, 0, 9]),
            ]
            var content = try #require(content(1, name, records))
            #expect(content.rotation == RotatedRecords(first: 1, count: 2, dataByteCount: 4))
            // The addresses change places, and TTLs change, as in replies.
            for (offset, last) in zip(content.ttlOffsets.dropFirst(), [UInt8(121), 120]) {
                let place = Int(offset)
                content.body.replaceSubrange(place..<(place + 4), with: [255, 255, 255, 255])
                content.body.replaceSubrange((place + 6)..<(place + 10), with: [1, last, 0, 9])
            }
            let told = try #require(LdnsMessage(content.message(name, .a)))
            #expect(told.answers.map(\.owner) == [name, [1, 120, 0], [1, 120, 0]], "\(place)")
        }
    }

    // MARK: What can't be true

    private static let bank: [UInt8] = [4] + "bank".utf8 + [3] + "com".utf8 + [0]

    /// An answer to www.example.com.
    private func answer(
        code: UInt8 = 0, _ answers: [[UInt8]], authority: [[UInt8]] = []
    ) -> AnswerContent? {
        var octets = message(1, additional: [], records: answers + authority)
        octets[3] |= code
        octets[7] = UInt8(answers.count)
        octets[9] = UInt8(authority.count)
        return read(octets)?.any
    }

    @Test func `records about other names are left out beside good ones, and alone are no answer`() {
        let right = record(1, [192, 0, 2, 1])
        let signature: [UInt8] = [0, 1, 8, 2, 0, 0, 0, 60, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 7, 7, 7, 7]
        let com: [UInt8] = [3] + "com".utf8 + [0]
        #expect(answer([right]) != nil)
        for (type, data) in [(1, [6, 6, 6, 6]), (5, [0]), (16, [1, 120]), (39, [0]), (46, signature)]
            as [(UInt16, [UInt8])]
        {
            let foreign = record(type, owner: Self.bank, data)
            #expect(answer([right, foreign]) == answer([right]), "\(type)")
            #expect(answer([foreign, right]) == answer([right]), "\(type)")
            #expect(answer([foreign]) == nil, "\(type)")
        }
        // The signature of the records asked for belongs to the answer. Another signature does not.
        #expect(answer([right, record(46, signature)])?.answerCount == 2)
        for other in [record(46, owner: com, signature), record(39, owner: com, [0]), record(16, [1, 120])] {
            #expect(answer([right, other]) == answer([right]))
        }
    }

    @Test func `records without their data, or with a name that leads beyond it, are no answer, even beside one`() {
        let right = record(1, [192, 0, 2, 1])
        for data in [[], [1], [192, 0, 2], [192, 0, 2, 1, 0]] as [[UInt8]] {
            #expect(answer([record(1, data)]) == nil && answer([right, record(1, data)]) == nil)
            #expect(answer([record(1, owner: Self.bank, data), right]) == nil)
        }
        #expect(answer([record(5, owner: Self.bank, [5, 120, 0]), right]) == nil)
        for data in [[], [0], [0, 0]] as [[UInt8]] {
            #expect(answer(code: 3, [], authority: [record(6, owner: [0], data)]) == nil)
        }
        // Data of an unknown type may be empty.
        #expect(answer([right, record(65280, owner: Self.bank, [])]) == answer([right]))
    }

    @Test func `a name with a CNAME record has no other data`() {
        let target = record(1, owner: Self.bank, [192, 0, 2, 1])
        #expect(answer([record(5, Self.bank), target])?.answerCount == 2)
        // A second CNAME record is left out too.
        for other in [record(1, [6, 6, 6, 6]), record(5, [1, 120, 0])] {
            let content = answer([record(5, Self.bank), other, target])
            #expect(content?.answerCount == 2 && content?.body.suffix(4) == [192, 0, 2, 1])
        }
        #expect(answer([record(1, [6, 6, 6, 6]), record(5, Self.bank), target])?.answerCount == 2)
    }

    @Test func `a negative answer has the SOA of a zone that the name is in, and its MINIMUM`() {
        func soa(_ owner: [UInt8], minimum: UInt32) -> [UInt8] { record(6, owner: owner, soaData(minimum: minimum)) }
        let com: [UInt8] = [3] + "com".utf8 + [0]
        for (minimum, ttl) in [(7, 7), (60, 60), (600, 60)] as [(UInt32, UInt32)] {
            let content = answer(code: 3, [], authority: [soa(com, minimum: minimum)])
            #expect(content?.ttl == ttl && content?.authorityCount == 1 && content?.isNegative == true)
        }
        // The SOA of another zone says nothing: it is left out, and the answer is not kept.
        for owner in [Self.bank, [4] + "mail".utf8 + [0xC0, 12]] {
            let content = answer(code: 3, [], authority: [soa(owner, minimum: 60)])
            #expect(content?.ttl == 0 && content?.authorityCount == 0 && content?.body.isEmpty == true)
        }
        // Behind an alias, the zone must be that of the last name.
        let nowhere = answer([record(5, Self.bank)], authority: [soa(Self.bank, minimum: 9)])
        #expect(nowhere?.ttl == 9 && nowhere?.isNegative == true)
    }

    @Test func `aliases lead on through 16 records, and no further`() {
        func chain(_ count: Int) -> [[UInt8]] {
            func name(_ number: Int) -> [UInt8] { number == 0 ? [0xC0, 12] : [2, 110, UInt8(96 + number), 0] }
            return (0..<count).map { record(5, owner: name($0), name($0 + 1)) }
                + [record(1, owner: name(count), [192, 0, 2, 1])]
        }
        #expect(answer(chain(UpstreamResponse.maximumChainLength))?.answerCount == 17)
        #expect(answer(chain(UpstreamResponse.maximumChainLength + 1)) == nil)
        // The upstream may send them in any order.
        #expect(answer(Array(chain(5).reversed()))?.answerCount == 6)
        // A chain that leads back to itself is no answer.
        #expect(answer([record(5, Self.bank), record(5, owner: Self.bank, [0xC0, 12])]) == nil)
    }
}
