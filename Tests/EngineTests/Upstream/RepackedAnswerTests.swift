import Glibc
import Testing

@testable import Engine

/// Upstreams' answers are packed again by ldns. Clients get only octets that it wrote, and the same records.
struct RepackedAnswerTests {
    private static let name: [UInt8] = [3] + "www".utf8 + [7] + "example".utf8 + [3] + "com".utf8 + [0]
    /// A pointer to "example.com" in the question.
    private static let zone: [UInt8] = [0xC0, 16]
    private static let zoneName = [UInt8](name[4...])

    private func message(
        _ type: UInt16, code: UInt8 = 0, name: [UInt8] = name, _ answers: [[UInt8]], authority: [[UInt8]] = []
    ) -> [UInt8] {
        var octets: [UInt8] = [0, 7, 0x81, 0x80 | code, 0, 1]
        octets.append(bigEndian: UInt16(answers.count))
        octets.append(bigEndian: UInt16(authority.count))
        octets += [0, 0] + name
        octets.append(bigEndian: type)
        octets.append(bigEndian: RecordClass.internet)
        for record in answers + authority { octets += record }
        return octets
    }

    private func read(_ octets: [UInt8], _ variant: AnswerVariant = []) -> AnswerContent? {
        let message = octets.rawSpan
        guard let header = MessageHeader(message), let question = Question(message) else { return nil }
        let key = CacheKey(name: question.name(in: message), type: question.type, variant: variant)
        return AnswerReader.readAny(message, header: header, question: question, key: key)
    }

    /// The records of an answer as ldns reads them in a client's reply.
    private func told(_ octets: [UInt8], _ content: AnswerContent?) -> [LdnsRecord]? {
        guard let content, let question = Question(octets.rawSpan) else { return nil }
        let name = question.name(in: octets.rawSpan).array.map(\.lowercasedASCII)
        return LdnsMessage(content.message(name, question.type)).map { $0.answers + $0.authority }
    }

    private static let signature: [UInt8] =
        [0, 1, 8, 2, 0, 0, 0, 60, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1] + [7] + "Example".utf8 + [3] + "COM".utf8 + [0, 7, 7]

    @Test func `ldns reads what clients get, and packs it again to the same octets`() throws {
        let web: [UInt8] = [3] + "web".utf8 + Self.zone
        let host: [UInt8] = [4] + "host".utf8 + Self.zone
        let soa: [UInt8] = [3] + "ns1".utf8 + Self.zone + [1, 104] + Self.zone + [UInt8](repeating: 1, count: 20)
        let place = UInt8(MessageHeader.byteCount + Self.name.count + 4 + 12)
        let aliases = [record(5, web), record(1, owner: [0xC0, place], [1, 2, 3, 4])]
        let cases: [(octets: [UInt8], variant: AnswerVariant)] = [
            (message(1, [record(1, [1, 2, 3, 4]), record(1, [1, 2, 3, 5])]), []),
            (message(1, aliases), []), (message(28, aliases), []),
            (message(15, (0..<9).map { record(15, [0, $0, 2, 109, 48 + $0] + Self.zone) }), []),
            (message(33, (0..<9).map { record(33, [0, 1, 0, $0, 0, 80] + host) }), []),
            (message(2, [record(2, Self.zone), record(2, host), record(2, Self.name)]), []),
            (message(1, code: 3, [], authority: [record(6, owner: Self.zone, soa)]), []),
            (
                message(
                    1, code: 3, [],
                    authority: [
                        record(6, owner: Self.zone, soa), record(46, owner: Self.zone, Self.signature),
                        record(47, owner: host, Self.zoneName + [0, 1, 0x40]),
                    ]), .dnssecOK
            ),
            (message(255, aliases + [record(16, [2, 104, 105]), record(13, [0, 0]), record(65280, [1, 2])]), []),
            (message(2, name: [0], [record(2, owner: [0], Self.name), record(2, owner: [0], [1, 97, 0])]), []),
        ]
        for (number, entry) in cases.enumerated() {
            let content = try #require(read(entry.octets, entry.variant), "case \(number)")
            guard let question = Question(entry.octets.rawSpan) else { throw TestFailure("no question") }
            let octets = content.message(question.name(in: entry.octets.rawSpan).array, question.type)
            #expect(LdnsMessage.repacked(octets) == octets, "case \(number)")
            let kept = try #require(LdnsMessage(octets))
            #expect(kept.answers.count == Int(content.answerCount) && kept.authority.count == content.authorityCount)
        }
    }

    /// Data for each kind of field that ldns knows, without names, and for types that nobody knows.
    private static let opaque: [(type: UInt16, data: [UInt8])] = [
        (1, [1, 2, 3, 4]), (10, []), (10, [9]), (11, [1, 2, 3, 4, 6, 0, 80]), (13, [1, 65, 1, 66]),
        (16, [0]), (16, [1, 65, 2, 66, 67]), (19, [2, 49, 50]), (20, [1, 49]), (20, [1, 49, 1, 50]),
        (22, [0x47, 0, 5, 0x80]), (25, [1, 0, 3, 8, 1, 2]), (27, [1, 49, 1, 50, 1, 51]),
        (28, [UInt8](repeating: 32, count: 16)), (29, [0] + [UInt8](repeating: 18, count: 15)), (31, [1, 2]),
        (32, [3]), (34, [0, 1, 2]), (37, [0, 1, 0, 2, 8, 5, 5]), (38, [0, 1, 2]),
        (42, [0, 1, 8, 1, 10]), (43, [0, 1, 8, 2, 1, 2]), (43, [0, 0, 0, 0, 0]), (44, [1, 1, 7]),
        (45, [10, 0, 2, 7, 7, 7]), (45, [10, 1, 2, 192, 0, 2, 1, 5]), (48, [1, 1, 3, 8, 5, 5]),
        (49, [0, 1, 2, 3]), (50, [1, 0, 0, 1, 1, 9, 2, 8, 8, 0, 1, 0x40]), (51, [1, 0, 0, 1, 0]),
        (52, [3, 1, 1, 7, 7]), (53, [3, 1, 1, 7]), (59, [0, 1, 8, 2, 1]), (60, [1, 1, 3, 8, 5]), (61, [1, 2, 3]),
        (62, [0, 0, 0, 1, 0, 3, 0, 1, 0x40]), (63, [0, 0, 0, 1, 1, 1, 7, 7]), (99, [1, 65]),
        (104, [0, 1, 1, 2, 3, 4, 5, 6, 7, 8]), (105, [0, 1, 1, 2, 3, 4]), (106, [0, 1, 1, 2, 3, 4, 5, 6, 7, 8]),
        (108, [1, 2, 3, 4, 5, 6]), (109, [1, 2, 3, 4, 5, 6, 7, 8]), (256, [0, 1, 0, 2, 104, 58]),
        (257, [0, 5] + "issueca.example".utf8), (258, [1, 65]), (260, [1, 0]), (32769, [0, 1, 8, 2, 1, 2]),
        (65280, []), (65280, [0xC0, 12, 0xC0, 0]), (65534, [0, 255, 1]),
        // These have parameters behind the name of a service.
        (64, [0, 1, 0, 0, 1, 0, 3, 2, 104, 50]), (65, [0, 1, 1, 97, 0, 0, 3, 0, 2, 1, 187]), (65, [0, 0, 1, 97, 0]),
    ]

    @Test func `data of any type are passed on as they came`() throws {
        for (type, data) in Self.opaque {
            let octets = message(
                type, [record(type, data), record(46, [UInt8(type >> 8), UInt8(type & 255)] + Self.signature[2...])])
            let content = try #require(read(octets), "\(type) \(data)")
            #expect(content.answerCount == 2)
            let body = record(type, data)
            #expect([UInt8](content.body.prefix(body.count)) == body, "\(type)")
            // Signatures cover exactly these octets, and validators know whose they are.
            #expect(content.body.suffix(Self.signature.count - 2) == Self.signature[2...], "\(type)")
        }
    }

    @Test func `whatever the data are, ldns reads in the reply what it reads in the answer`() throws {
        var random = SeededRandom(5)
        var taken: Set<UInt16> = []
        for number in 0..<30_000 {
            let type = number % 20 == 0 ? UInt16.random(in: 0 ... .max, using: &random) : UInt16(number % 270)
            // The data contain names as well as other fields: short labels, pointers, and octets.
            var data: [UInt8] = []
            for _ in 0..<Int.random(in: 0...9, using: &random) {
                switch random.next() % 5 {
                case 0: data += Self.zone
                case 1: data += [1, 97, 0]
                case 2: data += [UInt8](repeating: 0, count: Int.random(in: 0...20, using: &random))
                default: data.append(UInt8(random.next() % 8))
                }
            }
            let octets = message(type, [record(type, data)])
            guard let content = read(octets), content.answerCount == 1 else { continue }
            taken.insert(type)
            var came = try #require(LdnsMessage(octets)).answers
            if type == 5 { came[0].data = came[0].data.map(\.lowercasedASCII) }
            #expect(told(octets, content) == came, "\(type) \(data)")
        }
        // ldns knows only one octet of SINK (40). OPT (41) is no answer.
        let missing = (1...65).filter { !taken.contains($0) && ![40, 41].contains($0) }
        #expect(taken.count > 1000 && missing.isEmpty, "\(missing)")
    }

    @Test func `names in data are compressed where RFC 1035 has their types, and written out elsewhere`() throws {
        // Each row has the fields before the name.
        let types: [(type: UInt16, before: [UInt8])] = [
            (2, []), (5, []), (12, []), (15, [0, 1]), (17, []), (18, [0, 1]), (21, [0, 1]), (33, [0, 1, 0, 1, 0, 80]),
            (36, [0, 1]), (39, []), (107, [0, 1]),
        ]
        for (type, before) in types {
            let after: [UInt8] = type == 17 ? [0] : []
            let octets = message(type, [record(type, before + [1, 97] + Self.zone + after)])
            let content = try #require(read(octets), "\(type)")
            let isOld = [2, 5, 12, 15].contains(type)
            let name = [1, 97] + (isOld ? Self.zone : Self.zoneName)
            #expect(content.body == record(type, before + name + after), "\(type)")
        }
    }

    @Test func `letters stay as they are, except those that were drawn for our query`() throws {
        let asked: [UInt8] = [3] + "wWw".utf8 + [7] + "eXample".utf8 + [3] + "coM".utf8 + [0]
        // For ldns all these are the same name.
        let spelled: [UInt8] = [7] + "Example".utf8 + [3] + "COM".utf8 + [0]
        let octets = message(
            15, name: asked, [record(15, [0, 1, 1, 97] + Self.zone), record(15, [0, 2, 1, 97] + spelled)])
        #expect(told(octets, read(octets))?.map(\.data) == [[0, 1, 1, 97] + Self.zoneName, [0, 2, 1, 97] + spelled])
        let service = message(33, name: asked, [record(33, [0, 1, 0, 1, 0, 80] + Self.zone)])
        #expect(told(service, read(service))?.map(\.data) == [[0, 1, 0, 1, 0, 80] + Self.zoneName])
        // Signatures and proofs are passed on letter for letter.
        let next: [UInt8] = [1, 65] + spelled + [0, 1, 0x40]
        let proof = message(
            1, code: 3, name: asked, [],
            authority: [
                record(6, owner: Self.zone, soaData(minimum: 9)), record(47, owner: spelled, next),
                record(46, owner: spelled, [0, 47] + Self.signature[2...]),
            ])
        let proven = read(proof, .dnssecOK)
        let told = try #require(self.told(proof, proven))
        #expect(told.map(\.type) == [6, 47, 46] && told[1].data == next && told[1].owner == spelled)
        #expect(told[0].owner == Self.zoneName && told[2].data == [0, 47] + Self.signature[2...])
    }

    // MARK: Made to be costly

    @Test func `text of more strings than ldns counts is passed on, names of that number are not`() throws {
        let before = peakMemory()
        for count in [255, 256, 257, 1000, 65_000] {
            let strings = [UInt8](repeating: 0, count: count - 1) + [1, 65]
            let content = try #require(read(message(16, [record(16, strings)])))
            #expect(content.body == record(16, strings), "\(count)")
        }
        // For each string ldns would take as much memory as for all: hundreds of megabytes and more.
        #expect(peakMemory() - before < 400_000)
        for (count, isTaken) in [(254, true), (255, false), (300, false)] {
            // ldns takes the 257th field for a key of its own, and reads names behind it that nobody has checked.
            let servers = [UInt8](repeating: 0, count: count)
            let content = read(message(55, [record(55, [1, 2, 0, 1, 7, 7] + servers)]))
            #expect((content != nil) == isTaken, "\(count)")
        }
    }

    @Test func `names that no pointer reaches are the same names`() throws {
        let long: [UInt8] = (0..<60).flatMap { _ -> [UInt8] in [1, 120] } + [0]
        let place = UInt8(MessageHeader.byteCount + Self.name.count + 4 + 12 + 6)
        // The name is written out in data, where no pointer leads to it. Then it stands in data where one would.
        var records = [record(33, [0, 1, 0, 1, 0, 80] + long)]
        for number in 0..<130 { records.append(record(33, [0, 2, 0, UInt8(number), 0, 80, 0xC0, place])) }
        for number in 0..<200 { records.append(record(15, [0, UInt8(number), 0xC0, place + 2 * UInt8(number % 50)])) }
        records.append(record(1, [1, 2, 3, 4]))
        let octets = message(255, records)
        let content = try #require(read(octets))
        #expect(content.body.count > 0x4000 && content.body.suffix(16) == record(1, [1, 2, 3, 4])[...])
        #expect(told(octets, content) == LdnsMessage(octets)?.answers)
        // A name that is found as a whole costs no more than a pointer, however often it is written.
        let known: [[UInt8]] =
            [record(15, [0, 0] + long)]
            + (0..<3900).map {
                [0xC0, 12, 0, 15, 0, 1] + UInt32(60).octets + [0, 4, 0, UInt8($0 & 255), 0xC0, place - 4]
            }
        #expect(read(message(15, known))?.answerCount == 3901)
        // This is longer than a message can be.
        for number in 0..<400 { records.append(record(33, [0, 3, 0, UInt8(number % 200), 0, 80, 0xC0, place])) }
        #expect(LdnsMessage(message(255, records)) != nil && read(message(255, records)) == nil)
    }
}

/// The most memory that the process has had at once, in KiB.
private func peakMemory() -> Int {
    var usage = rusage()
    // Unsafe: getrusage fills the structure.
    return unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 ? usage.ru_maxrss : 0
}

extension AnswerContent {
    /// The message that a client gets, with TTLs as they came.
    func message(_ name: [UInt8], _ type: RecordType) -> [UInt8] {
        var octets: [UInt8] = [0, 7, 0x81, 0x80 | UInt8(code), 0, 1]
        octets.append(bigEndian: answerCount)
        octets.append(bigEndian: authorityCount)
        octets += [0, 0] + name
        octets.append(bigEndian: type.rawValue)
        octets.append(bigEndian: RecordClass.internet)
        return octets + body
    }
}
