import Testing

@testable import Engine

/// Which records of an upstream's answer concern the name asked, and are passed on. The server has `service.kong` and
/// the reverse names of 10.0.0.0/8.
struct AnswerSelectionTests {
    private static let own = OwnNames(["service.kong", "10.in-addr.arpa"].compactMap { try? wireName($0) })

    /// A record given by its names: `www.example.com A`.
    private struct Line {
        var octets: [UInt8]

        init(_ octets: [UInt8]) { self.octets = octets }

        static func a(_ owner: String, _ last: UInt8 = 1, ttl: UInt32 = 60) -> Line {
            Line(record(1, owner: name(owner), ttl: ttl, [192, 0, 2, last]))
        }
        static func cname(_ owner: String, _ target: String, ttl: UInt32 = 60) -> Line {
            Line(record(5, owner: name(owner), ttl: ttl, name(target)))
        }
        static func dname(_ owner: String, _ target: String) -> Line {
            Line(record(39, owner: name(owner), name(target)))
        }
        static func soa(_ owner: String, minimum: UInt32 = 9) -> Line {
            Line(record(6, owner: name(owner), soaData(minimum: minimum)))
        }
        static func ns(_ owner: String) -> Line { Line(record(2, owner: name(owner), name("ns.example.net"))) }
        static func nsec(_ owner: String, _ next: String) -> Line {
            Line(record(47, owner: name(owner), name(next) + [0, 1, 0x40]))
        }
        static func txt(_ owner: String) -> Line { Line(record(16, owner: name(owner), [1, 120])) }
        static func signature(_ covered: UInt8, _ owner: String, by signer: String) -> Line {
            let head: [UInt8] = [0, covered, 8, 2, 0, 0, 0, 60, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1]
            return Line(record(46, owner: name(owner), head + name(signer) + [7, 7, 7, 7]))
        }

        static func name(_ text: String) -> [UInt8] { (try? wireName(text)) ?? [0] }
    }

    private func read(
        _ asked: String, _ type: RecordType = .a, _ variant: AnswerVariant = [], code: UInt8 = 0, answers: [Line],
        authority: [Line] = []
    ) -> AnswerContent? {
        let name = Line.name(asked)
        var octets: [UInt8] = [0, 0, 0x81, 0x80 | code, 0, 1, 0, UInt8(answers.count), 0, UInt8(authority.count), 0, 0]
        octets += name + [0, UInt8(type.rawValue), 0, 1]
        for line in answers + authority { octets += line.octets }
        return content(octets, type, variant)
    }

    private func content(_ octets: [UInt8], _ type: RecordType, _ variant: AnswerVariant = []) -> AnswerContent? {
        let message = octets.rawSpan
        guard let header = MessageHeader(message), let question = Question(message) else { return nil }
        let key = CacheKey(name: question.name(in: message), type: type, variant: variant)
        return AnswerReader.read(message, header: header, question: question, key: key, own: Self.own)
    }

    /// The records that are passed on, as ldns reads them.
    private func records(_ content: AnswerContent?, _ asked: String, _ type: RecordType = .a) -> Set<LdnsRecord>? {
        guard let content else { return nil }
        var octets: [UInt8] = [0, 0, 0x81, 0x80 | UInt8(content.code), 0, 1]
        octets.append(bigEndian: content.answerCount)
        octets.append(bigEndian: content.authorityCount)
        octets += [0, 0] + Line.name(asked) + [0, UInt8(type.rawValue), 0, 1] + content.body
        return LdnsMessage(octets).map { Set($0.answers + $0.authority) }
    }

    /// The same for records alone.
    private func records(_ lines: [Line]) -> Set<LdnsRecord>? {
        var octets: [UInt8] = [0, 0, 0x81, 0x80, 0, 0, 0, UInt8(lines.count), 0, 0, 0, 0]
        for line in lines { octets += line.octets }
        return LdnsMessage(octets).map { Set($0.answers) }
    }

    private struct Case {
        var asked = "www.example.com"
        var type = RecordType.a
        var variant: AnswerVariant = []
        var code: UInt8 = 0
        /// The records that are passed on; the others are `left`.
        var kept: [Line]
        var left: [Line]
        var keptAuthority: [Line] = []
        var leftAuthority: [Line] = []
    }

    private static let cases: [Case] = [
        // These are left out beside the right record, whatever they are about.
        Case(kept: [.a("www.example.com")], left: [.a("bank.com", 6), .a("com", 6), .a("a.www.example.com", 6)]),
        Case(kept: [.a("www.example.com")], left: [.txt("www.example.com"), .a("web.service.kong", 6)]),
        Case(
            kept: [.cname("www.example.com", "x.net"), .a("x.net")],
            left: [.a("bank.com", 6), .cname("bank.com", "www.example.com"), .txt("x.net"), .txt("www.example.com")]),
        // The second name's address does not belong to the first name.
        Case(
            kept: [.cname("www.example.com", "x.net"), .cname("x.net", "y.org"), .a("y.org")],
            left: [.a("www.example.com", 6), .a("x.net", 6)]),
        // Signatures go with the records that they cover.
        Case(
            variant: .dnssecOK,
            kept: [
                .cname("www.example.com", "x.net"), .signature(5, "www.example.com", by: "example.com"), .a("x.net"),
                .signature(1, "x.net", by: "net"),
            ],
            left: [.signature(1, "www.example.com", by: "example.com"), .signature(16, "x.net", by: "net")]),
        // A DNAME record goes with the alias that follows from it.
        Case(
            variant: .dnssecOK,
            kept: [
                .dname("example.com", "example.net"), .signature(39, "example.com", by: "example.com"),
                .cname("www.example.com", "www.example.net"), .a("www.example.net"),
            ],
            left: [
                .dname("com", "net.evil"), .dname("net", "evil"), .dname("org", "evil"),
                .signature(39, "com", by: "com"),
            ]),
        // No DNAME redirects our names.
        Case(
            asked: "www.kong", kept: [.cname("www.kong", "www.evil"), .a("www.evil")],
            left: [.dname("kong", "evil"), .dname(".", "evil")]),
        // Everything that was asked for at a name is kept, and nothing that leads on.
        Case(
            type: .any, kept: [.a("www.example.com"), .cname("www.example.com", "x.net"), .txt("www.example.com")],
            left: [.a("x.net"), .a("web.service.kong")]),
        Case(
            type: .cname, kept: [.cname("www.example.com", "x.net")],
            left: [.a("x.net"), .cname("x.net", "y.org"), .a("www.example.com")]),
        // The zone of a negative answer is that of the last name.
        Case(
            code: 3, kept: [], left: [.a("bank.com", 6)], keptAuthority: [.soa("com"), .ns("com")],
            leftAuthority: [.ns("bank.com"), .ns("example.com"), .soa("com", minimum: 8), .a("ns.example.net")]),
        Case(
            kept: [.cname("www.example.com", "x.net")], left: [.a("www.example.com", 6)], keptAuthority: [.soa("net")],
            leftAuthority: [.soa("example.com"), .soa("bank.com"), .ns("service.kong")]),
        // Proofs are from a zone that contains one of the names.
        Case(
            variant: .dnssecOK, code: 3, kept: [], left: [],
            keptAuthority: [
                .soa("com"), .signature(6, "com", by: "com"), .nsec("a.com", "z.com"),
                .signature(47, "a.com", by: "com"),
            ],
            leftAuthority: [
                .nsec("a.net", "z.net"), .signature(47, "a.net", by: "net"), .signature(1, "com", by: "com"),
            ]),
        Case(
            variant: .dnssecOK, kept: [.a("www.example.com")], left: [],
            keptAuthority: [
                .nsec("a.example.com", "z.example.com"), .signature(47, "a.example.com", by: "example.com"),
            ],
            leftAuthority: [.soa("example.com"), .ns("example.com"), .nsec("b.example.com", "c.example.com")]),
        Case(
            asked: "www.kong", variant: .dnssecOK, code: 3, kept: [], left: [], keptAuthority: [.soa("kong")],
            leftAuthority: [
                .nsec("a.service.kong", "b.service.kong"), .signature(47, "service.kong", by: "kong"),
                .soa("service.kong"), .ns("service.kong"),
            ]),
    ]

    @Test func `records about the name that was asked are passed on, and nothing else`() {
        for (number, entry) in Self.cases.enumerated() {
            // This holds in any order.
            for isFirst in [true, false] {
                let answers = isFirst ? entry.left + entry.kept : entry.kept + entry.left
                let authority = entry.keptAuthority + entry.leftAuthority
                let content = read(
                    entry.asked, entry.type, entry.variant, code: entry.code, answers: answers, authority: authority)
                #expect(
                    records(content, entry.asked, entry.type) == records(entry.kept + entry.keptAuthority),
                    "case \(number)")
                #expect(content?.answerCount == UInt16(entry.kept.count), "case \(number)")
                #expect(content?.continuation == nil, "case \(number)")
            }
        }
    }

    @Test func `names that refer to left-out records are written out, and are as they were`() throws {
        // The second owner is a pointer into the first record, and the third record's data is one into the second's
        // owner.
        let name = Line.name("www.example.com")
        let question = MessageHeader.byteCount + name.count + 4
        let foreign = record(5, owner: Line.name("bank.com"), Line.name("Mail.X.net"))
        let target = question + Line.name("bank.com").count + 10
        let mail = record(15, [0, 10, 0xC0, UInt8(target)])
        let other = record(15, [0, 20, 3] + "m22".utf8 + [0xC0, UInt8(target + 5)])
        let content = try #require(
            read("www.example.com", .init(rawValue: 15), answers: [Line(foreign), Line(mail), Line(other)]))
        #expect(content.answerCount == 2)
        let told = try #require(records(content, "www.example.com", .init(rawValue: 15)))
        #expect(
            Set(told.map(\.data)) == [
                [0, 10] + (try wireName("Mail.X.net")), [0, 20] + (try wireName("m22.X.net")),
            ])
    }

    @Test func `letters that were drawn by chance are not passed on with aliases`() {
        let lines: [Line] = [
            .dname("Example.COM", "example.net"), .cname("wWw.Example.COM", "wWw.example.net"), .a("Www.example.net"),
        ]
        let content = read("www.example.com", answers: lines)
        let names: [Line] = [.cname("www.example.com", "www.example.net"), .a("www.example.net")]
        #expect(records(content, "www.example.com")?.isSuperset(of: records(names) ?? []) == true)
        #expect(content?.answerCount == 3)
    }

    @Test func `an answer is cleaned however long it is`() throws {
        let target = try wireName("x.net")
        let addresses = (0..<3000).map { record(1, owner: [0xC0, 0], ttl: 60, UInt32($0).octets) }
        // The owners are pointers to the alias's target, which moves.
        let name = try wireName("www.example.com")
        let foreign = record(16, owner: try wireName("bank.com"), [1, 120])
        let question = MessageHeader.byteCount + name.count + 4
        let place = question + foreign.count + 12
        var octets: [UInt8] =
            [0, 0, 0x81, 0x80, 0, 1] + UInt32(3002).octets[2...] + [0, 0, 0, 0] + name + [0, 1, 0, 1]
        octets += foreign + record(5, target)
        for var address in addresses {
            address.replaceSubrange(0..<2, with: [0xC0, UInt8(place)])
            octets += address
        }
        let cleaned = try #require(content(octets, .a))
        #expect(cleaned.answerCount == 3001 && cleaned.rotation?.count == 3000 && cleaned.body.count < 16 * 3001 + 32)
    }

    // MARK: Where aliases lead

    @Test func `aliases that an upstream leaves open have to be asked for further`() {
        let open = read("www.example.com", answers: [.cname("www.example.com", "x.net"), .cname("x.net", "y.org")])
        #expect(open?.continuation == .outside(Line.name("y.org")))
        // A name that does not exist, or has no such record, is an end.
        let alias = Line.cname("www.example.com", "x.net")
        #expect(read("www.example.com", code: 3, answers: [alias])?.continuation == nil)
        #expect(read("www.example.com", answers: [alias], authority: [.soa("net")])?.continuation == nil)
        // The SOA of another zone says nothing about it.
        #expect(
            read("www.example.com", answers: [alias], authority: [.soa("com")])?.continuation
                == .outside(Line.name("x.net")))
    }

    @Test(
        arguments: [UInt8(0), 3],
        ["web.service.kong", "service.kong", "nosuch.service.kong", "1.0.0.10.in-addr.arpa"])
    func `aliases of names of ours end there, whatever the upstream says of them`(code: UInt8, name: String) throws {
        let alias = Line.cname("www.example.com", name, ttl: 300)
        for answers in [
            [alias], [alias, .a(name, 6)], [.a(name, 6), alias], [alias, .cname(name, "bank.com"), .a("bank.com", 6)],
        ] {
            let content = try #require(
                read("www.example.com", code: code, answers: answers, authority: [.soa("."), .ns("service.kong")]))
            #expect(records(content, "www.example.com") == records([alias]))
            #expect(content.code == 0 && content.ttl == 300 && !content.isNegative && content.authorityCount == 0)
            guard case .own(let target, let offset) = content.continuation else {
                Issue.record("\(String(describing: content.continuation))")
                return
            }
            #expect(target == Line.name(name))
            #expect([UInt8](content.body[Int(offset)...].prefix(target.count)) == target)
        }
    }

    @Test func `answers for the names that aliases lead to are joined into one`() throws {
        let asked = "www.example.com"
        let key = CacheKey(name: Line.name(asked).rawSpan, type: .a, variant: [])
        let first = try #require(read(asked, answers: [.cname(asked, "x.net", ttl: 50)]))
        let next = CacheKey(name: Line.name("x.net").rawSpan, type: .a, variant: [])
        func join(_ second: AnswerContent?) -> AnswerContent? {
            second.flatMap { AnswerReader.join(first, to: key, with: $0, to: next, own: Self.own) }
        }
        let whole = join(read("x.net", answers: [.a("x.net", ttl: 70), .a("x.net", 2, ttl: 70)]))
        let lines: [Line] = [.cname(asked, "x.net", ttl: 50), .a("x.net", ttl: 70), .a("x.net", 2, ttl: 70)]
        #expect(records(whole, asked) == records(lines))
        #expect(whole?.ttl == 50 && whole?.rotation?.count == 2 && whole?.continuation == nil)
        let further = join(read("x.net", answers: [.cname("x.net", "y.org")]))
        #expect(further?.answerCount == 2 && further?.continuation == .outside(Line.name("y.org")))
        let home = join(read("x.net", answers: [.cname("x.net", "web.service.kong")]))
        guard case .own = home?.continuation else { Issue.record("\(String(describing: home))"); return }
        // The name does not exist, and a SOA says so; or it has no such record, and no SOA says so.
        let none = join(read("x.net", code: 3, answers: [], authority: [.soa("net", minimum: 7)]))
        #expect(none?.code == 3 && none?.isNegative == true && none?.ttl == 7 && none?.authorityCount == 1)
        let bare = join(read("x.net", answers: []))
        #expect(bare?.code == 0 && bare?.ttl == 0 && bare?.continuation == nil && bare?.answerCount == 1)
        // This is a loop.
        #expect(join(read("x.net", answers: [.cname("x.net", asked)])) == nil)
    }

    @Test func `proofs that came with an open alias stay with it`() throws {
        let asked = "www.example.com"
        let key = CacheKey(name: Line.name(asked).rawSpan, type: .a, variant: .dnssecOK)
        let next = CacheKey(name: Line.name("x.net").rawSpan, type: .a, variant: .dnssecOK)
        // The alias comes from a wildcard. The proof that the name itself does not exist comes with it (RFC 4035
        // §3.1.3.3).
        let alias: [Line] = [.cname(asked, "x.net"), .signature(5, asked, by: "example.com")]
        let proofs: [Line] = [
            .nsec("a.example.com", "z.example.com"), .signature(47, "a.example.com", by: "example.com"),
        ]
        let first = try #require(read(asked, .a, .dnssecOK, answers: alias, authority: proofs))
        #expect(first.continuation == .outside(Line.name("x.net")) && first.authorityCount == 2)
        let second = try #require(read("x.net", .a, .dnssecOK, answers: [.a("x.net")]))
        let whole = AnswerReader.join(first, to: key, with: second, to: next, own: Self.own)
        #expect(records(whole, asked) == records(alias + [.a("x.net")] + proofs))
        #expect(whole?.answerCount == 3 && whole?.authorityCount == 2 && whole?.continuation == nil)
    }
}
