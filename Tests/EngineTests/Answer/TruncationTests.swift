import Testing

@testable import Engine

struct TruncationTests {
    @Test func `an A answer over UDP is whole, or has TC and whole records up to the limit`() throws {
        let server = try TestServer()
        // The header has 12 octets, the question 22, and each record 16: 29 records fit into 512 octets.
        for count in 1...40 {
            try server.publish(["web": .records([.a(count)])])
            let reply = try server.ask("web")
            #expect(reply.octets.count <= 512)
            #expect(reply.isTruncated == (count > 29))
            #expect(reply.addresses.count == min(count, 29))
            #expect(Set(reply.addresses).isSubset(of: (0..<count).map(IPAddress.ten)))
            #expect(Set(reply.addresses).count == min(count, 29))
            #expect(reply.isAuthoritative && reply.responseCode == 0)
        }
    }

    @Test func `an answer that fits to the octet has no TC, with or without EDNS`() throws {
        let server = try TestServer(["web": .records([.a(40)])])
        let query = TestQuery("web.service.kong")
        let exact = 12 + 22 + 40 * 16 + EDNS.byteCount
        let whole = try server.ask(query.offering(payload: UInt16(exact)))
        #expect(whole.octets.count == exact && !whole.isTruncated && whole.addresses.count == 40)
        let cut = try server.ask(query.offering(payload: UInt16(exact - 1)))
        #expect(cut.isTruncated && cut.addresses.count == 39 && cut.edns != nil)
    }

    @Test func `an upstream's answer that fits to the octet has no TC, one that does not has TC alone`() throws {
        let upstream = try ScriptedUpstream { request in
            .messages([request.reply(answers: (0..<40).map { record(1, UInt32($0).octets) })])
        }
        let server = try TestEngine(upstreams: [upstream.address])
        let query = TestQuery("www.example.com")
        let exact = 12 + 21 + 40 * 16 + EDNS.byteCount
        // The first reply comes from the upstream, the others from the cache.
        for payload in [exact, exact, exact - 1, exact - 1] {
            let reply = try server.ask(query.offering(payload: UInt16(payload)))
            #expect(reply.edns != nil && reply.octets.count <= payload)
            #expect(reply.isTruncated == (payload < exact))
            #expect(reply.addresses.count == (payload < exact ? 0 : 40))
        }
        let other = TestQuery("xyz.example.com")
        let reply = try server.ask(other.offering(payload: UInt16(exact - 1)))
        #expect(reply.isTruncated && reply.addresses.isEmpty)
    }

    @Test func `an SRV answer is cut between records, and has no ADDITIONAL then`() throws {
        let server = try TestServer()
        for count in 1...40 {
            let targets = (0..<count).map { $0 % 2 == 0 ? IPAddress.ten($0) : .unique($0) }
            try server.publish(["web": .records([.srv(targets)])])
            for payload: UInt16? in [nil, 700, 1232] {
                var query = TestQuery("web.service.kong", .srv)
                if let payload { query = query.offering(payload: payload) }
                let reply = try server.ask(query)
                #expect(reply.octets.count <= Int(payload ?? 512))
                #expect(reply.isTruncated == (reply.services.count < count))
                if reply.isTruncated { #expect(reply.additional.isEmpty && reply.services.count > 3) }
            }
        }
    }

    @Test func `over TCP there is no TC and all that fits 64 KB`() throws {
        let server = try TestServer(["web": .records([.a(4000), .srv((0..<900).map(IPAddress.ten))])])
        let addresses = try server.ask("web", .a, overTCP: true)
        #expect(addresses.addresses == (0..<4000).map(IPAddress.ten) && !addresses.isTruncated)
        let services = try server.ask("web", .srv, overTCP: true)
        #expect(Set(services.services).count == 900 && !services.isTruncated)
        #expect(services.octets.count <= 65535)
    }

    @Test(arguments: [RotationStrategyName.roundRobin, .weighted], [false, true])
    func `more than 64 KB over TCP: whole records, and the next answer goes on where the last one ended`(
        _ strategy: RotationStrategyName, isList: Bool
    ) throws {
        let count = 5000
        let set = RRset.a(count, weights: (0..<count).map { UInt32($0 % 7) })
        let content = isList ? NameContent.changed([.whole(set)]) : .records([set])
        let server = try TestServer(["web": content], .test(strategy: strategy))
        let fitting = (65535 - 12 - 22) / 16
        var start = 0
        var seen: [Int: Int] = [:]
        for _ in 0..<20 {
            let reply = try server.ask("web", .a, overTCP: true)
            #expect(!reply.isTruncated && reply.octets.count <= 65535)
            #expect(reply.addresses == (0..<fitting).map { IPAddress.ten(($0 + start) % count) })
            for index in 0..<fitting { seen[(index + start) % count, default: 0] += 1 }
            // Over UDP the reply has TC, and does not move the rotation.
            #expect(try server.ask("web").isTruncated)
            start = (start + fitting) % count
        }
        // The addresses came equally often, give or take one.
        #expect(seen.count == count && (seen.values.max() ?? 0) - (seen.values.min() ?? 0) <= 1)
    }

    @Test func `two answers have all records of a set that needs two`() throws {
        for strategy in [RotationStrategyName.roundRobin, .weighted] {
            let server = try TestServer(
                ["web": .records([.srv((0..<1500).map(IPAddress.ten))])], .test(strategy: strategy))
            for _ in 0..<5 {
                let replies = try (0..<2).map { _ in try server.ask("web", .srv, overTCP: true) }
                #expect(Set(replies.flatMap(\.services)).count == 1500)
            }
        }
    }

    @Test func `a set that fits again continues its rotation exactly`() throws {
        for strategy in [RotationStrategyName.roundRobin, .weighted] {
            let server = try TestServer(["web": .records([.a(5000)])], .test(strategy: strategy))
            for _ in 0..<3 { _ = try server.ask("web", .a, overTCP: true) }
            try server.publish(["web": .records([.a(7)])])
            let firsts = try (0..<21).compactMap { _ in try server.ask("web").addresses.first }
            #expect((0..<7).allSatisfy { number in firsts.count { $0 == .ten(number) } == 3 })
        }
    }

    @Test func `more than 64 KB of SRV over TCP are whole records too`() throws {
        let count = 1500
        let targets = (0..<count).map { $0 % 3 == 0 ? IPAddress.unique($0) : .ten($0) }
        let server = try TestServer(["web": .records([.srv(targets)])])
        var start = 0
        for _ in 0..<20 {
            let reply = try server.ask("web", .srv, overTCP: true)
            #expect(!reply.isTruncated && reply.additional.isEmpty && reply.octets.count <= 65535)
            #expect(reply.services.map { Int($0.port) - 1 } == reply.services.indices.map { ($0 + start) % count })
            #expect(reply.octets.count > 65535 - 80)
            start = (start + reply.services.count) % count
        }
    }

    @Test func `the longest negative answer has its SOA, without TC`() throws {
        // The origin has 127 octets and names have up to 255. The SOA contains the origin three times, and must be
        // compressed.
        let origin = String(repeating: "o", count: 62) + "." + String(repeating: "p", count: 62)
        let server = try TestServer(.test(origin: origin))
        let names = try wireName("ns.\(origin)") + wireName("hostmaster.\(origin)")
        for length in stride(from: 1, through: 61, by: 6) {
            let label = String(repeating: "x", count: length)
            for name in [label, "\(label).\(label)"] {
                for query in [TestQuery("\(name).\(origin)"), TestQuery("\(name).\(origin)").offering(payload: 512)] {
                    let reply = try server.ask(query)
                    #expect(reply.outcome == .nameError && reply.isAuthoritative && !reply.isTruncated)
                    #expect(reply.authority.map(\.owner) == [try wireName(origin)])
                    #expect(reply.authority.first?.data.prefix(names.count) == names[...])
                    #expect(reply.octets.count <= 512)
                }
            }
        }
    }
}
