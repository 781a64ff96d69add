import Testing

@testable import Engine

/// What is sent to upstreams is what ldns writes.
@Suite struct UpstreamQueryTests {
    @Test(arguments: [[], .dnssecOK, .checkingDisabled, [.dnssecOK, .checkingDisabled]] as [AnswerVariant])
    func `ldns reads each query, and writes it with the same octets`(variant: AnswerVariant) throws {
        var random = SeededRandom(11)
        for number in 0..<200 {
            var name: [UInt8] = []
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let count = UInt8.random(in: 1...50, using: &random)
                name.append(count)
                for _ in 0..<count { name.append(UInt8.random(in: 0...255, using: &random)) }
            }
            name.append(0)
            let type = [RecordType.a, .aaaa, .srv, .soa, RecordType(rawValue: 65)][number % 5]
            let key = CacheKey(name: name.rawSpan, type: type, variant: variant)
            let form = UpstreamQuery.Form(usesEDNS: number.isMultiple(of: 2), mixesCase: number % 3 > 0)
            let id = UInt16.random(in: 0...UInt16.max, using: &random)
            let query = UpstreamQuery.make(id: id, key: key, form, &random)
            #expect(LdnsMessage.repacked(query) == query)
            let message = try #require(LdnsMessage(query))
            #expect((message.id, message.isResponse, message.recursionDesired) == (id, false, true))
            #expect(message.checkingDisabled == variant.contains(.checkingDisabled))
            let question = try #require(message.questions.first)
            #expect(question.owner.map(\.lowercasedASCII) == key.name.map(\.lowercasedASCII))
            #expect((question.type, question.recordClass) == (type.rawValue, RecordClass.internet))
            #expect((message.edns != nil) == form.usesEDNS)
            if let edns = message.edns {
                #expect((edns.payload, edns.version) == (1232, 0))
                #expect(edns.dnssecOK == variant.contains(.dnssecOK))
            }
        }
    }
}
