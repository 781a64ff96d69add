import Testing

@testable import Engine

struct EDNSAnswerTests {
    private let query = TestQuery("web.service.kong")

    private func makeServer(udpPayload: Int = 1232) throws -> TestServer {
        try TestServer(
            ["web": .records([.a(2), .srv([.ten(1)])]), "big": .records([.a(1000)]), "broken": .failure],
            .test(udpPayload: udpPayload))
    }

    @Test func `no OPT without one in the query, whatever the answer (RFC 6891 §6.1.1)`() throws {
        for name in [
            "web.service.kong", "nothing.service.kong", "example.com", "big.service.kong", "broken.service.kong",
        ] {
            for overTCP in [false, true] {
                let reply = try makeServer().ask(TestQuery(name), overTCP: overTCP)
                #expect(reply.edns == nil && reply.octets[10...11] == [0, 0])
            }
        }
    }

    @Test func `an OPT record of ours for one of theirs, in every answer`() throws {
        for name in [
            "web.service.kong", "nothing.service.kong", "example.com", "big.service.kong", "broken.service.kong",
        ] {
            for type: RecordType in [.a, .srv, .txt] {
                for dnssecOK in [false, true] {
                    let asked = TestQuery(name, type).offering(payload: 4096, dnssecOK: dnssecOK)
                    let reply = try makeServer(udpPayload: 1400).ask(asked)
                    #expect(reply.edns == LdnsEDNS(payload: 1400, version: 0, dnssecOK: dnssecOK))
                }
            }
        }
    }

    @Test func `an error too has an OPT record when the query has one (RFC 6891 §6.1.1)`() throws {
        var notify = query.offering(payload: 1232)
        notify.opcode = 4
        let transfer = TestQuery("service.kong", .axfr).offering(payload: 1232)
        for (asked, code) in [(notify, 4), (transfer, 5)] {
            let reply = try makeServer().ask(asked)
            #expect(reply.responseCode == code)
            #expect(reply.edns == LdnsEDNS(payload: 1232, version: 0, dnssecOK: false))
        }
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        let a: [UInt8] = [0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0]
        let question = try query.octets.dropFirst(12)
        for (what, octets, code) in [
            ("no question", [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1] + opt, 1),
            ("no question for NOTIFY", [0, 1, 0x21, 0, 0, 0, 0, 0, 0, 0, 0, 1] + opt, 4),
            ("a record in ANSWER", [0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1] + question + a + opt, 1),
            ("a record in AUTHORITY", [0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1] + question + a + opt, 1),
        ] as [(String, [UInt8], UInt16)] {
            let reply = try TestReply(try #require(try makeServer().reply(to: octets)))
            #expect(reply.responseCode == code, "\(what)")
            #expect(reply.edns == LdnsEDNS(payload: 1232, version: 0, dnssecOK: false), "\(what)")
        }
    }

    @Test func `records in front of OPT are bounded`() throws {
        let a: [UInt8] = [0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0]
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        for count in [8, 9] as [UInt8] {
            let records = (0..<count).flatMap { _ in a }
            let octets = try query.octets(replacing: [7: count, 11: 1], appending: records + opt)
            let reply = try TestReply(try #require(try makeServer().reply(to: octets)))
            #expect(reply.outcome == .formatError && (reply.edns != nil) == (count == 8))
        }
    }

    @Test func `another version is BADVERS whatever else is asked (RFC 6891 §6.1.3)`() throws {
        var notify = query.offering(payload: 1232, version: 1)
        notify.opcode = 4
        for asked in [notify, TestQuery("service.kong", .axfr).offering(payload: 1232, version: 1)] {
            #expect(try makeServer().ask(asked).responseCode == 16)
        }
        let bare: [UInt8] = [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, 1, 0, 0, 0, 0]
        #expect(try TestReply(try #require(try makeServer().reply(to: bare))).responseCode == 16)
    }

    @Test func `another version is BADVERS, with our version, DO (RFC 3225 §3) and no records`() throws {
        for version: UInt8 in [1, 2, 255] {
            let reply = try makeServer().ask(query.offering(payload: 1232, version: version, dnssecOK: true))
            #expect(reply.responseCode == 16)
            #expect(reply.edns == LdnsEDNS(payload: 1232, version: 0, dnssecOK: true))
            #expect(reply.answers.isEmpty && !reply.isAuthoritative && reply.questions.count == 1)
        }
    }

    @Test func `a failure tells people why (RFC 8914 §4.1)`() throws {
        let failed = TestQuery("broken.service.kong", .srv)
        let text = [UInt8]("no healthy instance".utf8)
        let option: [UInt8] = [0, 15, 0, UInt8(2 + text.count), 0, 0] + text
        let reply = try makeServer().ask(failed.offering(payload: 512, dnssecOK: true))
        #expect(reply.responseCode == 2 && reply.edns == LdnsEDNS(payload: 1232, version: 0, dnssecOK: true))
        #expect(reply.octets.suffix(option.count + 2) == [0, UInt8(option.count)] + option)
        #expect(try makeServer().ask(failed).octets.count == failed.octets.count)
    }

    @Test func `a stale answer says so, if there is room, and only with EDNS (RFC 8914 §4.4)`() throws {
        let server = try TestServer([:], .test(udpPayload: 1232))
        let records = (0..<31).map { RecordChange(sequence: UInt64($0), record: Record(.address(.v4(UInt32($0))))) }
        let list = RRsetChange(type: .a, ttl: 5, isWhole: true, records: records)
        let option: [UInt8] = [0, 6, 0, 15, 0, 2, 0, 3]
        for (content, count) in [(NameContent.records([.a(31), .srv([.ten(1)])]), 31), (.changed([list]), 31)] {
            try server.publish(["web": content], isStale: true)
            // Changes of other names, in its shard or not, are none of its own.
            try server.publish(["other": .records([.a(1)])])
            #expect(try server.ask(TestQuery("other.service.kong").offering(payload: 1232)).octets.suffix(2) == [0, 0])
            let reply = try server.ask(query.offering(payload: 1232))
            #expect(reply.octets.suffix(8) == option && reply.edns != nil && reply.responseCode == 0)
            let plain = try server.ask(query)
            #expect(reply.addresses.count == count && plain.edns == nil)
            #expect(try server.ask(query.offering(payload: 512), overTCP: true).octets.suffix(8) == option)
            // Without room for it the records are more important.
            let narrow = try server.ask(query.offering(payload: UInt16(reply.octets.count - 1)))
            #expect(narrow.addresses.count == count && narrow.octets.count == reply.octets.count - 6)
            // It is fresh again.
            try server.publish(["web": content])
            #expect(try server.ask(query.offering(payload: 1232)).octets.suffix(2) == [0, 0])
        }
    }

    @Test func `unknown options are ignored (RFC 6891 §6.1.2)`() throws {
        let options: [UInt8] = [0xFD, 0xEA, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0xFD, 0xE9, 0, 0]
        let opt: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, UInt8(options.count)] + options
        let octets = try query.octets(replacing: [11: 1], appending: opt)
        let reply = try TestReply(try #require(try makeServer().reply(to: octets)))
        #expect(reply.addresses.count == 2)
        #expect(reply.edns != nil && reply.octets.suffix(2) == [0, 0])
    }

    @Test func `the payload is honoured between 512 octets and the configured limit (RFC 6891 §6.2.3)`() throws {
        let big = TestQuery("big.service.kong")
        for (offered, limit) in [
            (1, 512), (511, 512), (512, 512), (700, 700), (1232, 1232), (4096, 1232), (65535, 1232),
        ] {
            let reply = try makeServer().ask(big.offering(payload: UInt16(offered)))
            #expect(reply.isTruncated)
            #expect(reply.octets.count <= limit && reply.octets.count > limit - 16, "\(offered): \(reply.octets.count)")
        }
        let most = try makeServer(udpPayload: 4096).ask(big.offering(payload: 65535))
        #expect(most.octets.count <= 4096 && most.octets.count > 4080)
        #expect(try makeServer(udpPayload: 4096).ask(big).octets.count <= 512)
    }

    @Test func `over TCP the payload means nothing`() throws {
        let reply = try makeServer().ask(TestQuery("big.service.kong").offering(payload: 512), overTCP: true)
        #expect(reply.addresses.count == 1000 && !reply.isTruncated && reply.edns?.payload == 1232)
    }
}
