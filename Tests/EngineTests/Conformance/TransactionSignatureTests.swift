import Testing

@testable import Engine

/// Signed queries (TSIG, RFC 8945): no key is known here, and clients are told so.
struct TransactionSignatureTests {
    private let query = TestQuery("web.service.kong")
    private let server: TestServer

    init() throws { server = try TestServer(["web": .records([.a(2)])]) }

    /// A TSIG record: the key, the algorithm, the time and the fudge, a MAC, the original ID, error and other data.
    private func signature(
        key: String = "Key.example", algorithm: String = "hmac-sha256", mac: Int = 32, ttl: UInt8 = 0,
        recordClass: UInt8 = 255, other: [UInt8] = []
    ) throws -> [UInt8] {
        let data =
            try wireName(algorithm) + [0, 0, 1, 2, 3, 4, 1, 44, 0, UInt8(mac)]
            + [UInt8](repeating: 7, count: mac) + [0x4B, 0x44, 0, 0, 0, UInt8(other.count)] + other
        let head: [UInt8] = [0, 250, 0, recordClass, 0, 0, 0, ttl]
        return try wireName(key) + head + [UInt8(data.count >> 8), UInt8(data.count & 0xFF)] + data
    }

    private func ask(_ records: [UInt8], counts: [Int: UInt8] = [11: 1], overTCP: Bool = false) throws -> TestReply {
        let octets = try query.octets(replacing: counts, appending: records)
        return try TestReply(try #require(server.reply(to: octets, overTCP: overTCP)))
    }

    /// NOTAUTH with a TSIG record with BADKEY and no MAC, never longer than the query.
    private func expectUnknownKey(_ reply: TestReply, key: String = "Key.example") throws {
        #expect(reply.responseCode == 9 && !reply.isAuthoritative && reply.answers.isEmpty)
        // ldns keeps a TSIG record apart from the others.
        #expect(reply.octets[10...11] == [0, 1])
        #expect(reply.octets.contains(try wireName(key) + [0, 250, 0, 255, 0, 0, 0, 0]))
        let expected: [UInt8] = [0, 0, 1, 2, 3, 4, 1, 44, 0, 0, 0x4B, 0x44, 0, 17, 0, 0]
        #expect(reply.octets.suffix(16) == expected)
    }

    @Test(arguments: [false, true])
    func `5.2.1 an unknown key is NOTAUTH with BADKEY, whatever is asked`(overTCP: Bool) throws {
        try expectUnknownKey(try ask(signature(), overTCP: overTCP))
        for name in ["none.service.kong", "example.com", "localhost"] {
            let octets = try TestQuery(name).octets(replacing: [11: 1], appending: signature())
            try expectUnknownKey(try TestReply(try #require(server.reply(to: octets, overTCP: overTCP))))
        }
        let transfer = try TestQuery("service.kong", .axfr).octets(replacing: [11: 1], appending: signature())
        try expectUnknownKey(try TestReply(try #require(server.reply(to: transfer, overTCP: overTCP))))
    }

    @Test func `an OPT record is answered by one, in front of the signature (5.1)`() throws {
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        let reply = try ask(opt + signature(), counts: [11: 2])
        #expect(reply.responseCode == 9 && reply.octets[10...11] == [0, 2])
        #expect(reply.octets.suffix(6) == [0x4B, 0x44, 0, 17, 0, 0])
    }

    @Test func `5.1 a signature that is not the last record of ADDITIONAL is FORMERR`() throws {
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        for (records, counts) in [
            (try signature() + opt, [11: 2]), (try signature() + signature(), [11: 2]), (try signature(), [7: 1]),
            (try signature(), [9: 1]),
        ] as [([UInt8], [Int: UInt8])] {
            #expect(try ask(records, counts: counts).outcome == .formatError)
        }
    }

    @Test func `a malformed signature is FORMERR`() throws {
        var cut = try signature()
        // Its MAC is one octet longer than it says.
        cut[cut.count - 6 - 32 - 1] -= 1
        for record in [cut, try signature(recordClass: 1), try signature(ttl: 1)] {
            #expect(try ask(record).outcome == .formatError)
        }
    }

    @Test func `other data and long keys are read`() throws {
        try expectUnknownKey(try ask(signature(other: [1, 2, 3, 4, 5, 6])))
        let key = [63, 63, 63, 61].map { String(repeating: "k", count: $0) }.joined(separator: ".")
        try expectUnknownKey(try ask(signature(key: key)), key: key)
    }

    @Test func `without room for the signature the reply has none`() throws {
        let long = [63, 63, 63, 61].map { String(repeating: "k", count: $0) }.joined(separator: ".")
        let octets = try query.octets(replacing: [11: 1], appending: signature(key: long, algorithm: long))
        let reply = try TestReply(try #require(server.reply(to: octets)))
        #expect(reply.responseCode == 9 && reply.octets.count <= 512 && reply.additional.isEmpty)
    }
}
