import Testing

@testable import Engine

/// In any run of k·n answers each of n records comes first exactly k times.
struct RoundRobinTests {
    /// How often each port, minus 1, comes first.
    private func firsts(_ replies: [TestReply]) -> [Int: Int] {
        replies.reduce(into: [:]) { counts, reply in
            let first = reply.services.first.map { Int($0.port) - 1 } ?? reply.addresses.first?.lastOctet ?? -1
            counts[first, default: 0] += 1
        }
    }

    @Test func `each record comes first in turn, the others follow in their order`() throws {
        let server = try TestServer(["web": .records([.a(5)])])
        for start in 0..<15 {
            #expect(try server.ask("web").addresses == (0..<5).map { IPAddress.ten((start + $0) % 5) })
        }
    }

    @Test func `the rotation is exact per name and type, whatever is asked and changed in between`() throws {
        let counts = ["a": 2, "b": 3, "c": 5, "d": 7, "_b._tcp": 4]
        func content(_ count: Int) -> NameContent {
            .records([.a(count), .aaaa(count), .srv((0..<count).map(IPAddress.ten))])
        }
        let server = try TestServer(counts.mapValues(content))
        var random = SeededRandom(5)
        var replies: [String: [TestReply]] = [:]
        let names = counts.keys.sorted()
        let types: [RecordType] = [.a, .aaaa, .srv]
        for step in 0..<4000 {
            let name = try #require(names.randomElement(using: &random))
            let type = try #require(types.randomElement(using: &random))
            // UDP and TCP, with and without EDNS, share one rotation.
            var query = TestQuery("\(name).service.kong", type)
            if Bool.random(using: &random) { query = query.offering(payload: 1232) }
            let reply = try server.ask(query, overTCP: Bool.random(using: &random))
            #expect(!reply.isTruncated)
            replies["\(name) \(type.rawValue)", default: []].append(reply)
            // Other names change all the time: names are added and removed, serials grow, neighbours of these names are
            // asked for.
            switch step % 5 {
            case 0: try server.publish(["other\(step % 50)": content(step % 3 + 1)])
            case 1: try server.publish(["other\((step + 20) % 50)": .absent])
            case 2: _ = try server.ask("other\(step % 50)", .srv)
            case 3: try server.publish([:])
            default: _ = try server.ask("nothing")
            }
        }
        #expect(replies.count == names.count * types.count)
        for (key, sequence) in replies {
            let count = try #require(counts[String(key.prefix { $0 != " " })])
            let turns = sequence.count / count
            #expect(turns > 10)
            // Any run counts, so it may start anywhere.
            for start in 0..<min(count, sequence.count - turns * count + 1) {
                let run = Array(sequence[start..<(start + turns * count)])
                #expect(firsts(run) == Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, turns) }), "\(key)")
            }
        }
    }

    @Test func `an answer with TC does not count`() throws {
        // 30 A records need 514 octets: they are cut without EDNS, and whole with it.
        let server = try TestServer(["web": .records([.a(30), .srv((0..<12).map(IPAddress.ten))])])
        for start in 0..<60 {
            for _ in 0..<(start % 4) {
                #expect(try server.ask("web").isTruncated)
                #expect(try server.ask("web", .srv).isTruncated)
            }
            #expect(try server.ask("web", .a, overTCP: true).addresses.first == .ten(start % 30))
            #expect(try server.ask("web", .srv, overTCP: true).services.first?.port == UInt16(start % 12 + 1))
        }
    }

    @Test func `negative answers and errors don't count`() throws {
        let server = try TestServer(["web": .records([.a(3)])])
        for start in 0..<9 {
            _ = try server.ask("web", .txt)
            _ = try server.ask("web", .any)
            _ = server.reply(to: try TestQuery("web.service.kong").octets(replacing: [:], appending: [0]))
            _ = try server.ask(TestQuery("web.service.kong").offering(payload: 1232, version: 1))
            #expect(try server.ask("web").addresses.first == .ten(start % 3))
        }
    }

    @Test func `the rotation goes on when its own name is published again`() throws {
        let server = try TestServer(["web": .records([.a(4)])])
        for start in 0..<16 {
            #expect(try server.ask("web").addresses.first == .ten(start % 4))
            try server.publish(["web": .records([.a(4), .aaaa(start % 2 + 1)])])
        }
    }

    @Test func `records that come and go leave the rotation exact`() throws {
        let server = try TestServer()
        for count in [3, 7, 2, 1, 5, 4] {
            try server.publish(["web": .records([.a(count)])])
            let replies = try (0..<(3 * count)).map { _ in try server.ask("web") }
            #expect(firsts(replies) == Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, 3) }))
        }
    }

    @Test func `several sets of workers rotate for themselves`() throws {
        // Each responder is like a worker of its own, and none disturbs another.
        let one = try TestServer(["web": .records([.a(3)])])
        let other = try TestServer(["web": .records([.a(3)])])
        for start in 0..<9 {
            #expect(try one.ask("web").addresses.first == .ten(start % 3))
            if start % 2 == 0 { #expect(try other.ask("web").addresses.first == .ten(start / 2 % 3)) }
        }
    }
}

extension IPAddress {
    /// The last octet.
    var lastOctet: Int { Int(octets.last ?? 0) }
}
