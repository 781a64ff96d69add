import Testing

@testable import Engine

/// What counts as the answer to a query.
struct UpstreamResponseTests {
    private static let name = (try? wireName("www.example.com")) ?? []
    private var key: CacheKey { CacheKey(name: Self.name.rawSpan, type: .a, variant: []) }

    private func expectation(usesEDNS: Bool = true, mixesCase: Bool = true) -> UpstreamResponse.Expectation {
        var random = SeededRandom(3)
        let form = UpstreamQuery.Form(usesEDNS: usesEDNS, mixesCase: mixesCase)
        let query = UpstreamQuery.make(id: 0x1234, key: key, form, &random)
        return UpstreamResponse.Expectation(
            id: 0x1234, query: query, key: key, checksCase: mixesCase, usesEDNS: usesEDNS)
    }

    /// The usual answer to it, with other octets at some offsets.
    private func answer(to expected: UpstreamResponse.Expectation, replacing octets: [Int: UInt8] = [:]) -> [UInt8] {
        let end = MessageHeader.byteCount + key.name.count + 4
        var answer = [UInt8](expected.query.prefix(end)) + record(1, [192, 0, 2, 1])
        answer.replaceSubrange(2..<12, with: [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
        for (place, octet) in octets { answer[place] = octet }
        return answer
    }

    /// The verdict in one word or a few.
    private func verdict(
        _ message: [UInt8], _ expected: UpstreamResponse.Expectation, _ form: UpstreamResponse.Delivery = .datagram
    ) -> String {
        switch UpstreamResponse.read(message.rawSpan, expected, form) {
        case .unrelated: "unrelated"
        case .otherCase: "other case"
        case .truncated: "truncated"
        case .withoutEDNS: "without EDNS"
        case .failure: "failure"
        case .answer: "answer"
        }
    }

    @Test func `an answer has the ID, the opcode and the question of its query`() {
        let expected = expectation()
        let type = MessageHeader.byteCount + key.name.count + 1
        #expect(verdict(answer(to: expected), expected) == "answer")
        for change in [[0: 0x13], [1: 0x35], [2: 0x01], [2: 0x91], [5: 0], [5: 2], [type: 28], [type + 2: 3], [13: 88]]
            as [[Int: UInt8]]
        {
            for form in [UpstreamResponse.Delivery.datagram, .truncatedDatagram, .stream] {
                #expect(verdict(answer(to: expected, replacing: change), expected, form) == "unrelated", "\(change)")
            }
        }
    }

    @Test func `another case counts over UDP alone, and only with the right question`() {
        let expected = expectation()
        let small = Dictionary(
            uniqueKeysWithValues: key.name.enumerated().map { ($0.offset + MessageHeader.byteCount, $0.element) })
        let type = MessageHeader.byteCount + key.name.count + 1
        #expect(verdict(answer(to: expected, replacing: small), expected) == "other case")
        #expect(verdict(answer(to: expected, replacing: small), expected, .stream) == "answer")
        // An answer in another case is not examined for its code, and one to another question not for its case.
        #expect(verdict(answer(to: expected, replacing: small.merging([3: 0x84]) { $1 }), expected) == "other case")
        #expect(verdict(answer(to: expected, replacing: small.merging([type: 28]) { $1 }), expected) == "unrelated")
        let careless = expectation(mixesCase: false)
        let upper = [MessageHeader.byteCount + 1: UInt8(ascii: "W")]
        #expect(verdict(answer(to: careless, replacing: upper), careless) == "answer")
    }

    @Test func `TC means TCP, and over TCP a failure`() {
        let expected = expectation()
        #expect(verdict(answer(to: expected, replacing: [2: 0x83]), expected) == "truncated")
        #expect(verdict(answer(to: expected, replacing: [2: 0x83]), expected, .stream) == "failure")
        #expect(verdict(answer(to: expected), expected, .truncatedDatagram) == "truncated")
    }

    @Test func `codes other than NOERROR, NXDOMAIN and YXDOMAIN are failures, or may come from missing EDNS`() {
        for usesEDNS in [true, false] {
            let expected = expectation(usesEDNS: usesEDNS)
            for code in UInt8(0)..<16 {
                // Only NOERROR comes with a record.
                let change = code == 0 ? [:] : [3: 0x80 | code, 7: 0]
                let wanted =
                    [0, 3, 6].contains(code)
                    ? "answer" : usesEDNS && [1, 4].contains(code) ? "without EDNS" : "failure"
                #expect(verdict(answer(to: expected, replacing: change), expected) == wanted, "\(code)")
            }
            // The answer comes from a server that could not read the query.
            let header: [UInt8] = [0x12, 0x34, 0x81, 0x81] + [UInt8](repeating: 0, count: 8)
            #expect(verdict(header, expected) == (usesEDNS ? "without EDNS" : "failure"))
            #expect(verdict(header + [0], expected) == "unrelated")
        }
    }
}
