import Glibc
import Synchronization
import Testing

@testable import Engine

/// Names outside the zones, asked for at upstreams over real sockets.
struct ForwardingTests {
    private let outside = TestQuery("www.example.com")

    @Test(arguments: [false, true])
    func `a name outside is asked from the upstream once, then answered from the cache`(overTCP: Bool) throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address])
        for _ in 0..<3 {
            let reply =
                overTCP ? try TestSocket.tcp(server.address).askFramed(outside) : try server.ask(outside)
            #expect(reply.addresses == [.v4(0xC000_0201)])
            #expect(reply.recursionAvailable && !reply.isAuthoritative && !reply.authenticData)
            #expect(reply.questions.first?.owner == (try wireName("www.example.com")))
            #expect(reply.answers.allSatisfy { (1...60).contains($0.ttl) } && reply.edns == nil)
        }
        #expect(upstream.requests.count == 1)
        let statistics = server.engine.statistics()
        #expect(statistics[.cacheHits] == 2 && statistics[.cacheMisses] == 1)
        #expect(statistics[.cacheEntries] == 1 && statistics[.inFlight] == 0)
        // Names of the zone are answered as always.
        #expect(try server.ask(web).isAuthoritative)
    }

    @Test func `the question is echoed byte for byte, from the upstream and from the cache`() throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address])
        for name in ["WwW.eXample.COM", "www.EXAMPLE.com"] {
            let query = try TestQuery(name).octets
            let socket = try TestSocket.udp(server.address)
            try socket.send(query)
            let reply = try socket.receive()
            #expect(reply[12..<query.count] == query[12...] && reply[0...1] == query[0...1])
        }
        #expect(upstream.requests.count == 1)
    }

    @Test func `without RD, or from elsewhere, a name outside is REFUSED`() throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address], allow: ["127.0.0.1/32", "10.0.0.0/8"])
        var query = outside
        query.recursionDesired = false
        #expect(try server.ask(query).outcome == .refused)
        let stranger = try TestSocket.udp(server.address, from: SocketAddress("127.0.0.2:0"))
        #expect(try stranger.ask(outside).outcome == .refused)
        #expect(
            try TestSocket.tcp(server.address, from: SocketAddress("127.0.0.2:0")).askFramed(outside).outcome
                == .refused)
        #expect(upstream.requests.isEmpty)
        #expect(try server.ask(outside).addresses.count == 1)
        // A stranger does not get what the cache has either.
        #expect(try stranger.ask(outside).outcome == .refused)
    }

    @Test func `each query has a port and an ID of its own, in no order, and letters in random case`() throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address])
        let socket = try TestSocket.udp(server.address)
        for number in 0..<200 { _ = try socket.ask(TestQuery("name\(number).example.com")) }
        // A busy machine may have a name asked for a second time. Only the first query for each name counts.
        var seen: Set<[UInt8]> = []
        let requests = upstream.requests.filter { seen.insert($0.name.map(\.lowercasedASCII)).inserted }
        #expect(requests.count == 200)
        #expect(Set(requests.map(\.port)).count > 190)
        #expect(Set(requests.map { UInt16($0.octets[0]) << 8 | UInt16($0.octets[1]) }).count > 190)
        for values in [requests.map(\.port), requests.map { UInt16($0.octets[0]) << 8 | UInt16($0.octets[1]) }] {
            // Of random numbers half are higher than the previous one.
            let ascending = zip(values, values.dropFirst()).count { $0 < $1 }
            #expect((60...140).contains(ascending), "\(ascending) of 199")
        }
        let upper = requests.flatMap(\.name).count { (65...90).contains($0) }
        let letters = requests.flatMap(\.name).count { $0.isLetterASCII }
        #expect((letters * 2 / 5...letters * 3 / 5).contains(upper), "\(upper) of \(letters)")
        // The queries have EDNS, with 1,232 octets.
        #expect(requests.allSatisfy { $0.octets.suffix(11) == [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0] })
    }

    @Test func `wrong answers are passed over, and the right one is waited for`() throws {
        let upstream = try ScriptedUpstream { request in
            let right = request.address(9)
            var wrongID = request.address(1)
            wrongID[0] ^= 0xFF
            var wrongName = request.address(2)
            wrongName[13] ^= 1
            var wrongCase = request.address(3)
            if wrongCase[13].isLetterASCII { wrongCase[13] ^= 0x20 }
            var query = request.address(4)
            query[2] = 1
            return .messages([[], [1], wrongID, wrongName, query, [UInt8](repeating: 0xFF, count: 500), right])
        }
        let server = try TestEngine(upstreams: [upstream.address])
        #expect(try server.ask(outside).addresses == [.v4(0xC000_0209)])
        try server.waitForStatistics { $0[.wrongAnswers] >= 4 }
        #expect(upstream.requests.count == 1)
    }

    @Test func `an upstream that does not preserve case is asked with small letters`() throws {
        let upstream = try ScriptedUpstream { .messages([$0.inSmallLetters($0.address())]) }
        let server = try TestEngine(upstreams: [upstream.address])
        for number in 0..<5 {
            #expect(try server.ask(TestQuery("a-long-name\(number).example.com")).addresses.count == 1)
        }
        // It costs one more round trip, once.
        #expect(upstream.distinctRequests.count { $0.hasCapitals } == 1)
        #expect(upstream.requests.first?.hasCapitals == true)
    }

    @Test(arguments: [CaseRandomization.automatic, .off])
    func `a nearby upstream that knows names only in small letters is asked so, and clients get their own case`(
        randomization: CaseRandomization
    ) throws {
        let upstream = try ScriptedUpstream { request in
            .messages([request.hasCapitals ? request.nameError() : request.address()])
        }
        let server = try TestEngine(upstreams: [upstream.address], caseRandomization: randomization)
        for number in 0..<5 {
            let reply = try server.ask(TestQuery("A-Long-Name\(number).example.com"))
            #expect(reply.addresses.count == 1)
            #expect(reply.octets.dropFirst(13).starts(with: "A-Long-Name".utf8))
        }
        #expect(!upstream.requests.contains { $0.hasCapitals })
        // A reload takes effect with the next query.
        upstream.change { .messages([$0.address()]) }
        let allow = [IPNetwork(.v4(0x7F00_0000), prefixLength: 8)]
        server.engine.reconfigure(
            UpstreamConfiguration(servers: [upstream.address], allow: allow, caseRandomization: .on))
        #expect(try server.ask(TestQuery("another-long-name.example.com")).addresses.count == 1)
        #expect(upstream.requests.last?.hasCapitals == true)
    }

    @Test func `a truncated answer is asked for again over TCP, on one connection`() throws {
        let upstream = try ScriptedUpstream { request in
            guard request.isTCP else { return .messages([request.reply(flags: 0x83)]) }
            return .messages([request.reply(answers: (0..<200).map { record(1, [10, 0, 0, UInt8($0)]) })])
        }
        let server = try TestEngine(upstreams: [upstream.address])
        for number in 0..<3 {
            let query = TestQuery("big\(number).example.com")
            let reply = try server.ask(query)
            #expect(reply.isTruncated && reply.answers.isEmpty && reply.octets.count <= 512)
            #expect(try TestSocket.tcp(server.address).askFramed(query).addresses.count == 200)
        }
        #expect(upstream.requests.count == 6)
        #expect(server.engine.statistics()[.upstreamTCPQueries] == 3)
    }

    @Test func `an answer of 64 KB reaches a TCP client whole`() throws {
        let upstream = try ScriptedUpstream { request in
            guard request.isTCP else { return .messages([request.reply(flags: 0x83)]) }
            return .messages([
                request.reply(answers: (0..<4090).map { record(1, [10, 0, UInt8($0 >> 8), UInt8($0 & 255)]) })
            ])
        }
        let server = try TestEngine(upstreams: [upstream.address])
        for _ in 0..<2 { #expect(try TestSocket.tcp(server.address).askFramed(outside).addresses.count == 4090) }
        #expect(try server.ask(web).addresses.count == 3)
    }

    @Test func `a CNAME chain is passed on whole, ADDITIONAL is not`() throws {
        let target = try wireName("target.example.net")
        let upstream = try ScriptedUpstream { request in
            .messages([
                request.reply(
                    answers: [record(5, ttl: 300, target), record(1, owner: target, ttl: 40, [192, 0, 2, 7])],
                    additional: [
                        record(
                            1, owner: [3] + "own".utf8 + [7] + "service".utf8 + [4] + "kong".utf8 + [0], [6, 6, 6, 6])
                    ])
            ])
        }
        let server = try TestEngine(upstreams: [upstream.address])
        for _ in 0..<2 {
            let reply = try server.ask(outside)
            #expect(reply.answers.map(\.type) == [5, 1] && reply.additional.isEmpty)
            #expect(reply.answers.last?.owner == target)
            #expect(Set(reply.answers.map(\.ttl)).count == 1 && (39...40).contains(reply.answers[0].ttl))
        }
        #expect(upstream.requests.count == 1)
        // The upstream's lie about one of our names reaches nobody.
        #expect(try server.ask(TestQuery("own.service.kong")).outcome == .nameError)
    }

    @Test(arguments: [(600, 500, 30), (600, 7, 7), (5, 500, 5)] as [(UInt32, UInt32, UInt32)])
    func `negative answers are kept for the SOA's MINIMUM or its TTL, and no longer than configured`(
        ttl: UInt32, minimum: UInt32, kept: UInt32
    ) throws {
        let upstream = try ScriptedUpstream { .messages([$0.nameError(ttl: ttl, minimum: minimum)]) }
        let server = try TestEngine(upstreams: [upstream.address])
        for _ in 0..<3 {
            let reply = try server.ask(outside)
            #expect(reply.outcome == .nameError && reply.authority.map(\.type) == [6])
            #expect(reply.authority.allSatisfy { (kept - 1...kept).contains($0.ttl) })
        }
        #expect(upstream.requests.count == 1)
    }

    @Test func `a name in demand is asked for again before it expires, and nobody waits for that`() throws {
        let upstream = try ScriptedUpstream(ttl: 2)
        let server = try TestEngine(upstreams: [upstream.address])
        #expect(try server.ask(outside).addresses == [.v4(0xC000_0201)])
        upstream.change { .late(milliseconds: 50, $0.address(2, ttl: 60)) }
        // This goes on until the answer's last second has begun. Then one client's query causes one query to the
        // upstream.
        var replies = 0
        while upstream.requests.count < 2 {
            #expect(try server.ask(outside).addresses == [.v4(0xC000_0201)])
            replies += 1
        }
        #expect(replies > 1)
        while try server.ask(outside).addresses != [.v4(0xC000_0202)] {}
        let statistics = server.engine.statistics()
        #expect(statistics[.prefetches] == 1 && statistics[.cacheMisses] == 1)
    }

    @Test func `a name that nobody asks for again is left to expire`() throws {
        let upstream = try ScriptedUpstream(ttl: 1)
        let server = try TestEngine(upstreams: [upstream.address], timeout: .milliseconds(100))
        for number in 0..<2 {
            #expect(try server.ask(TestQuery("name\(number).example.com")).addresses.count == 1)
        }
        usleep(1_200_000)
        #expect(server.engine.statistics()[.prefetches] == 0 && upstream.requests.count == 2)
        #expect(try server.ask(TestQuery("name0.example.com")).addresses.count == 1)
        #expect(upstream.requests.count == 3)
    }

    @Test func `many at a time share ports, which change`() throws {
        let lateness = 20
        let upstream = try ScriptedUpstream { .late(milliseconds: Int64(lateness), $0.address()) }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(5))
        let socket = try TestSocket.udp(server.address)
        // There are so many that sockets are shared, and so few that a slow upstream's buffer holds all of them.
        let atOnce = 80
        for round in 0..<75 {
            for number in 0..<atOnce { try socket.send(try TestQuery("name\(number).r\(round).example.com").octets) }
            for _ in 0..<atOnce { #expect(try TestReply(try socket.receive()).addresses.count == 1) }
        }
        let ports = Dictionary(grouping: upstream.requests, by: \.port)
        // If there were only as many sockets as are shared, and they never changed, each would be used three times as
        // often.
        #expect(upstream.requests.count / UpstreamSocketPool.sharedCount > 2 * UpstreamSocketPool.maximumUses)
        // By chance two sockets may get the same port, one after the other.
        #expect(ports.values.allSatisfy { $0.count <= 2 * UpstreamSocketPool.maximumUses })
        #expect(ports.values.count { $0.count > UpstreamSocketPool.maximumUses } <= 2)
        // Of the queries under way at a port, no two have the same ID. Those that were answered before do not count.
        for requests in ports.values {
            for (place, request) in requests.enumerated() {
                let underWay = requests[..<place].filter { request.time - $0.time < .milliseconds(lateness) }
                #expect(!underWay.contains { $0.octets[0...1] == request.octets[0...1] })
            }
        }
        // Once the rush is over, the sockets are closed, so that nobody can send anything to them.
        let end = ContinuousClock.now + .seconds(30)
        while try openSockets(to: upstream.address) > 0 {
            try #require(ContinuousClock.now < end, "sockets stay open")
            usleep(10_000)
        }
    }

    @Test func `a TTL of 0 is answered as 1, and not kept`() throws {
        let upstream = try ScriptedUpstream(ttl: 0)
        let server = try TestEngine(upstreams: [upstream.address])
        for _ in 0..<2 { #expect(try server.ask(outside).answers.map(\.ttl) == [1]) }
        #expect(upstream.requests.count == 2)
        // It does not stand in for an answer that can't be had either.
        upstream.change { .messages([$0.reply(code: 2)]) }
        #expect(try server.ask(outside).outcome == .serverFailure)
        #expect(server.engine.statistics()[.cacheEntries] == 0)
    }

    @Test func `addresses rotate, from the cache too`() throws {
        let upstream = try ScriptedUpstream { request in
            .messages([request.reply(answers: (1...4).map { record(1, [192, 0, 2, UInt8($0)]) })])
        }
        let server = try TestEngine(upstreams: [upstream.address])
        let socket = try TestSocket.udp(server.address)
        _ = try socket.ask(outside)
        let firsts = try (0..<8).map { _ in
            let addresses = try socket.ask(outside).addresses
            #expect(Set(addresses).count == 4)
            return addresses.first
        }
        for first in Set(firsts) { #expect(firsts.count { $0 == first } == 2) }
        #expect(Set(firsts).count == 4)
    }

    @Test func `answers with and without DNSSEC records are kept apart`() throws {
        let upstream = try ScriptedUpstream { .messages([$0.address($0.number == 0 ? 1 : 2)]) }
        let server = try TestEngine(upstreams: [upstream.address])
        #expect(try server.ask(outside).addresses == [.v4(0xC000_0201)])
        let signed = try server.ask(outside.offering(payload: 1232, dnssecOK: true))
        #expect(signed.addresses == [.v4(0xC000_0202)] && signed.edns?.dnssecOK == true)
        #expect(try server.ask(outside.offering(payload: 1232)).addresses == [.v4(0xC000_0201)])
        #expect(upstream.requests.count == 2)
    }

    @Test func `queries with CD are forwarded with CD, and their answers are kept apart`() throws {
        let upstream = try ScriptedUpstream { .messages([$0.address($0.octets[3] & 0x10 == 0 ? 1 : 2)]) }
        let server = try TestEngine(upstreams: [upstream.address])
        var unchecked = outside
        unchecked.checkingDisabled = true
        for _ in 0..<2 {
            #expect(try server.ask(outside).addresses == [.v4(0xC000_0201)])
            let reply = try server.ask(unchecked)
            #expect(reply.addresses == [.v4(0xC000_0202)] && reply.checkingDisabled)
        }
        #expect(upstream.requests.map { $0.octets[3] & 0x10 } == [0, 0x10])
    }

    @Test func `all workers answer from the cache what one of them has fetched`() throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address], workers: 4)
        #expect(try server.ask(outside).addresses.count == 1)
        for _ in 0..<32 { #expect(try server.ask(outside).addresses.count == 1) }
        #expect(upstream.requests.count == 1)
    }

    @Test func `many clients that ask for the same name cause one query, and all get the answer`() throws {
        let isReady = TestFlag()
        let upstream = try ScriptedUpstream { .held(until: isReady, $0.address()) }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        let sockets = try (0..<60).map { _ in try TestSocket.udp(server.address) }
        let connection = try TestSocket.tcp(server.address)
        for socket in sockets { try socket.send(try outside.octets) }
        try connection.sendFramed([outside])
        connection.finish()
        // All must wait before the answer comes: a question that is handled later is answered from the cache.
        try server.waitForStatistics { $0[.coalesced] == 60 }
        isReady.set()
        for socket in sockets { #expect(try TestReply(try socket.receive()).addresses.count == 1) }
        #expect(try connection.receiveFramed().addresses.count == 1)
        #expect(connection.isClosedByServer())
        // There is one query, apart from those that were sent again because the answer was late.
        let statistics = server.engine.statistics()
        #expect(statistics[.upstreamUDPQueries] - statistics[.hedges] == 1 && statistics[.cacheMisses] == 61)
        #expect(statistics[.coalesced] == 60)
    }

    @Test func `clients beyond those that may wait for one name get an error at once`() throws {
        let isReady = TestFlag()
        let upstream = try ScriptedUpstream { .held(until: isReady, $0.address()) }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        // Each socket gets few enough replies for its receive buffer.
        let sockets = try (0..<64).map { _ in try TestSocket.udp(server.address) }
        let each = Forwarder.maximumClients / sockets.count + 1
        for round in 1...each {
            for socket in sockets { try socket.send(try outside.octets) }
            try server.waitForStatistics { $0[.cacheMisses] == UInt64(round * sockets.count) }
        }
        // All queries but the last of each socket wait.
        for socket in sockets { #expect(try TestReply(try socket.receive()).outcome == .serverFailure) }
        isReady.set()
        for socket in sockets {
            for _ in 1..<each { #expect(try TestReply(try socket.receive()).addresses.count == 1) }
        }
        #expect(server.engine.statistics()[.inFlight] == 0)
    }

    @Test func `removing a name, a subtree or all from the cache has them asked again`() throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address])
        let names = ["a.example.com", "b.example.com", "example.com", "notexample.com"]
        func askAll() throws -> Int {
            let before = upstream.requests.count
            for name in names { _ = try server.ask(TestQuery(name)) }
            return upstream.requests.count - before
        }
        #expect(try askAll() == 4)
        #expect(try server.engine.removeFromCache("A.example.com.", subtree: false) == 1)
        #expect(try askAll() == 1)
        #expect(try server.engine.removeFromCache("example.com", subtree: true) == 3)
        #expect(try askAll() == 3)
        #expect(try server.engine.removeFromCache(nil, subtree: false) == 4)
        let statistics = server.engine.statistics()
        #expect(statistics[.cacheEntries] == 0 && statistics[.cacheBytes] == 0)
        #expect(throws: EngineError.self) { try server.engine.removeFromCache("a..b", subtree: false) }
    }

    @Test func `other upstreams are asked from the next query on, and none is lost meanwhile`() throws {
        let first = try ScriptedUpstream { .late(milliseconds: 30, $0.address(1)) }
        let second = try ScriptedUpstream(address: 2)
        let server = try TestEngine(upstreams: [first.address])
        let waiting = try (0..<20).map { number in
            let socket = try TestSocket.udp(server.address)
            try socket.send(try TestQuery("name\(number).example.com").octets)
            return socket
        }
        try server.waitForStatistics { $0[.cacheMisses] >= 20 }
        let allow = [IPNetwork(.v4(0x7F00_0000), prefixLength: 8)]
        server.engine.reconfigure(UpstreamConfiguration(servers: [second.address], allow: allow))
        for socket in waiting { #expect(try TestReply(try socket.receive()).addresses == [.v4(0xC000_0201)]) }
        #expect(try server.ask(outside).addresses == [.v4(0xC000_0202)])
        server.engine.reconfigure(UpstreamConfiguration(servers: [second.address], allow: []))
        #expect(try server.ask(outside).outcome == .refused)
        server.engine.reconfigure(UpstreamConfiguration(servers: [], allow: allow))
        #expect(try server.ask(outside).outcome == .refused)
    }

    @Test(arguments: [1, 4])
    func `an upstream that is down while the configuration changes is back as soon as it answers`(workers: Int) throws {
        let gone = try ScriptedUpstream()
        gone.stop()
        let good = try ScriptedUpstream(address: 2)
        let server = try TestEngine(upstreams: [gone.address, good.address], workers: workers)
        #expect(try server.ask(outside).addresses == [.v4(0xC000_0202)])
        try server.waitForStatistics { $0.upstreams.first?.isHealthy == false }
        let before = server.engine.statistics().upstreams.map(\.queries)
        let allow = [IPNetwork(.v4(0x7F00_0000), prefixLength: 8)]
        for timeout in [2, 3, 4] {
            server.engine.reconfigure(
                UpstreamConfiguration(
                    servers: [gone.address, good.address], policy: .sequential, timeout: .seconds(timeout),
                    allow: allow))
        }
        // What was learned stays: the upstream is not asked first, and its counters continue.
        #expect(try server.ask(TestQuery("other.example.com")).addresses == [.v4(0xC000_0202)])
        let after = server.engine.statistics().upstreams
        #expect(
            after[0].isHealthy == false && zip(before, after.map(\.queries)).allSatisfy(<=)
                && after[1].queries > before[1])
        let back = try ScriptedUpstream(at: gone.address, address: 1)
        try server.waitForStatistics { $0.upstreams.allSatisfy(\.isHealthy) }
        #expect(try server.ask(TestQuery("later.example.com")).addresses == [.v4(0xC000_0201)])
        _ = back
    }

    @Test func `an upstream that was removed from the configuration and is added again is probed again`() throws {
        let gone = try ScriptedUpstream()
        gone.stop()
        let good = try ScriptedUpstream(address: 2)
        let server = try TestEngine(upstreams: [gone.address, good.address])
        #expect(try server.ask(outside).addresses == [.v4(0xC000_0202)])
        let allow = [IPNetwork(.v4(0x7F00_0000), prefixLength: 8)]
        func configure(_ servers: [SocketAddress]) throws {
            server.engine.reconfigure(
                UpstreamConfiguration(servers: servers, policy: .sequential, allow: allow))
            // Asks until the worker uses the new configuration.
            for number in 0..<2 { _ = try server.ask(TestQuery("n\(number).\(servers.count).example.com")) }
        }
        try configure([good.address])
        try configure([gone.address, good.address])
        let back = try ScriptedUpstream(at: gone.address, address: 1)
        try server.waitForStatistics { $0.upstreams.allSatisfy(\.isHealthy) }
        #expect(try server.ask(TestQuery("later.example.com")).addresses == [.v4(0xC000_0201)])
        _ = back
    }

    @Test func `stopping answers the clients that wait for an upstream`() throws {
        let upstream = try ScriptedUpstream { .late(milliseconds: 50, $0.address()) }
        let server = try TestEngine(upstreams: [upstream.address])
        let udp = try TestSocket.udp(server.address)
        let tcp = try TestSocket.tcp(server.address)
        try udp.send(try outside.octets)
        try tcp.sendFramed([TestQuery("other.example.com")])
        try server.waitForStatistics { $0[.cacheMisses] == 2 }
        server.engine.stop()
        #expect(try TestReply(try udp.receive()).addresses.count == 1)
        #expect(try tcp.receiveFramed().addresses.count == 1)
    }
}
