import Testing

@testable import Engine

/// The tests of RFC 8906 section 8, case by case. Each answer is also compared with what NSD and Knot answer:
/// `make conformance`.
struct RFC8906Tests {
    private let server: TestServer
    private var query = TestQuery("service.kong", .soa)
    private let opt: [UInt8] = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]
    /// Option 100, which is not assigned.
    private let option: [UInt8] = [0, 100, 0, 0]

    init() throws {
        server = try TestServer(["web": .records([.a(2)]), "big": .records([.a(300)])])
        query.recursionDesired = false
    }

    private func reply(to octets: [UInt8]) throws -> TestReply {
        try TestReply(try #require(server.reply(to: octets)))
    }

    /// The query with an OPT record with other octets at some offsets, and with options.
    private func extended(_ replacements: [Int: UInt8] = [:], options: [UInt8] = []) throws -> [UInt8] {
        var opt = opt
        for (offset, octet) in replacements { opt[offset] = octet }
        opt[10] = UInt8(options.count)
        return try query.octets(replacing: [11: 1], appending: opt + options)
    }

    /// NOERROR with the SOA record, AA and no flag that has no business there.
    private func expectSOA(_ reply: TestReply, hasOPT: Bool) {
        #expect(reply.responseCode == 0 && reply.isAuthoritative && reply.answers.map(\.type) == [6])
        #expect(!reply.isTruncated && !reply.recursionAvailable && !reply.authenticData && !reply.checkingDisabled)
        // Z, the reserved bit.
        #expect(reply.octets[3] & 0x40 == 0)
        #expect((reply.edns != nil) == hasOPT && reply.edns?.version ?? 0 == 0)
    }

    /// BADVERS of version 0, without SOA and AA, and without options.
    private func expectBadVersion(_ reply: TestReply, dnssecOK: Bool = false) {
        #expect(reply.responseCode == 16 && !reply.isAuthoritative && reply.answers.isEmpty)
        // The OPT record is the last: version, flags, the length of its data.
        #expect(reply.octets.suffix(5) == [0, dnssecOK ? 0x80 : 0, 0, 0, 0])
    }

    @Test func `8.1.1 the zone is configured`() throws { expectSOA(try server.ask(query), hasOPT: false) }

    @Test func `8.1.2 an unknown type`() throws {
        for type in [1000, 666, 65280] as [UInt16] {
            var unknown = query
            unknown.type = RecordType(rawValue: type)
            let reply = try server.ask(unknown)
            #expect(reply.outcome == .noData && reply.isAuthoritative)
        }
    }

    @Test func `8.1.3.1 CD=1`() throws {
        var checking = query
        checking.checkingDisabled = true
        expectSOA(try server.ask(checking), hasOPT: false)
    }

    @Test func `8.1.3.2 AD=1`() throws { expectSOA(try reply(to: query.octets(replacing: [3: 0x20])), hasOPT: false) }

    @Test func `8.1.3.3 the reserved bit`() throws {
        expectSOA(try reply(to: query.octets(replacing: [3: 0x40])), hasOPT: false)
    }

    @Test func `8.1.3.4 a recursive query`() throws {
        var recursive = query
        recursive.recursionDesired = true
        let reply = try server.ask(recursive)
        expectSOA(reply, hasOPT: false)
        #expect(reply.recursionDesired)
    }

    @Test func `3.1.3 flags of responses mean nothing in a query`() throws {
        // AA, TC, RA, and an RCODE.
        expectSOA(try reply(to: query.octets(replacing: [2: 0x06, 3: 0x8B])), hasOPT: false)
    }

    @Test func `8.1.4 an unknown opcode`() throws {
        let header: [UInt8] = [0, 1, 15 << 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let bare = try reply(to: header)
        // NOTIMP with QR and the opcode, and nothing else.
        #expect(bare.octets == [0, 1, 0x80 | 15 << 3, 4, 0, 0, 0, 0, 0, 0, 0, 0])
        // No flag is copied, for its meaning is unknown (3.1.3).
        let flags = try reply(to: [0, 1, 15 << 3 | 0x07, 0xF0, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(flags.octets == bare.octets)
    }

    @Test func `8.1.5 TCP`() throws { expectSOA(try server.ask(query, overTCP: true), hasOPT: false) }

    @Test func `8.2.1 minimal EDNS`() throws { expectSOA(try reply(to: extended()), hasOPT: true) }

    @Test func `8.2.2 another EDNS version`() throws { expectBadVersion(try reply(to: extended([6: 1]))) }

    @Test func `8.2.3 an unknown EDNS option`() throws {
        let reply = try reply(to: extended(options: option))
        expectSOA(reply, hasOPT: true)
        #expect(reply.octets.suffix(2) == [0, 0])
    }

    @Test func `8.2.4 an unknown EDNS flag`() throws {
        let reply = try reply(to: extended([8: 0x40]))
        expectSOA(reply, hasOPT: true)
        #expect(reply.octets.suffix(4) == [0, 0, 0, 0])
    }

    @Test func `8.2.5 another EDNS version with an unknown flag`() throws {
        expectBadVersion(try reply(to: extended([6: 1, 8: 0x40])))
    }

    @Test func `8.2.6 another EDNS version with an unknown option`() throws {
        expectBadVersion(try reply(to: extended([6: 1], options: option)))
    }

    @Test func `8.2.7 a truncated response`() throws {
        let reply = try server.ask(TestQuery("big.service.kong").offering(payload: 512, dnssecOK: true))
        #expect(reply.responseCode == 0 && reply.isTruncated && reply.octets.count <= 512)
        #expect(reply.edns == LdnsEDNS(payload: 1232, version: 0, dnssecOK: true))
    }

    @Test func `8.2.8 DO=1`() throws {
        let reply = try reply(to: extended([7: 0x80]))
        expectSOA(reply, hasOPT: true)
        #expect(reply.edns?.dnssecOK == true)
    }

    @Test func `8.2.9 another EDNS version with DO=1`() throws {
        expectBadVersion(try reply(to: extended([6: 1, 7: 0x80])), dnssecOK: true)
    }

    @Test func `8.2.10 several defined EDNS options`() throws {
        // NSID, client subnet 0.0.0.0/0, EXPIRE, COOKIE.
        let options: [UInt8] =
            [0, 3, 0, 0] + [0, 8, 0, 4, 0, 1, 0, 0] + [0, 9, 0, 0] + [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]
        expectSOA(try reply(to: extended(options: options)), hasOPT: true)
    }
}
