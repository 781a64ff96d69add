import Glibc
import Synchronization
import Testing

@testable import Engine

/// Upstreams that are dead, silent, slow, lossy, flapping or lying. The times in assertions are generous bounds on what
/// clients are promised. They are no measurements.
struct FaultTests {
    /// A loopback port on which nobody listens.
    private func deadAddress() throws -> SocketAddress {
        let upstream = try ScriptedUpstream()
        upstream.stop()
        return upstream.address
    }

    @Test(arguments: UpstreamPolicyName.allCases)
    func `one of two upstreams silent: a handful of names waits, and all are answered`(policy: UpstreamPolicyName)
        throws
    {
        let silent = try ScriptedUpstream { _ in .silence }
        let good = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [silent.address, good.address], policy: policy)
        for number in 0..<100 {
            #expect(try server.ask(TestQuery("name\(number).example.com")).addresses.count == 1)
        }
        // This is at most one query, and others that a busy machine has held up.
        #expect(silent.requests.count <= 3)
        #expect(server.engine.statistics()[.hedges] <= 5)
        #expect(server.engine.statistics().upstreams.map(\.isHealthy) == [false, true])
    }

    @Test(arguments: UpstreamPolicyName.allCases)
    func `an upstream falls silent, again and again: a handful of names waits each time, and all are answered`(
        policy: UpstreamPolicyName
    ) throws {
        let isSilent = Atomic<Bool>(true)
        let unanswered = Atomic<Int>(0)
        let failing = try ScriptedUpstream { request in
            guard isSilent.load(ordering: .relaxed) else { return .messages([request.address(1)]) }
            if !request.isProbe { unanswered.add(1, ordering: .relaxed) }
            return .silence
        }
        let good = try ScriptedUpstream(address: 2)
        let server = try TestEngine(upstreams: [failing.address, good.address], policy: policy)
        var number = 0
        func askSome(_ count: Int) throws {
            for _ in 0..<count {
                number += 1
                #expect(try server.ask(TestQuery("name\(number).example.com")).addresses.count == 1)
            }
        }
        for _ in 0..<3 {
            isSilent.store(true, ordering: .relaxed)
            unanswered.store(0, ordering: .relaxed)
            try askSome(40)
            // These are the query that discovers it, and others that a busy machine has held up. The tests of
            // UpstreamHealth check how long each waits at most.
            #expect(unanswered.load(ordering: .relaxed) <= 5)
            isSilent.store(false, ordering: .relaxed)
            try server.waitForStatistics { $0.upstreams.allSatisfy(\.isHealthy) }
            try askSome(40)
        }
    }

    @Test func `an upstream that has become slow is left for one that is not`() throws {
        let isSlow = Atomic<Bool>(false)
        let slow = try ScriptedUpstream { request in
            isSlow.load(ordering: .relaxed)
                ? .late(milliseconds: 400, request.address(1)) : .messages([request.address(1)])
        }
        let good = try ScriptedUpstream { .late(milliseconds: 5, $0.address(2)) }
        let server = try TestEngine(upstreams: [slow.address, good.address])
        for number in 0..<20 { _ = try server.ask(TestQuery("before\(number).example.com")) }
        let before = slow.requests.count
        isSlow.store(true, ordering: .relaxed)
        for number in 0..<60 {
            // The slow upstream's own answer would come after another upstream was asked.
            #expect(try server.ask(TestQuery("after\(number).example.com")).addresses == [.v4(0xC000_0202)])
        }
        #expect(slow.requests.count - before < 10)
    }

    @Test(.enabled(if: Fragments.areAllowed))
    func `answers in fragments are read once all are there; a lost one costs an attempt`() throws {
        let asked = Mutex<[UpstreamRequest]>([])
        let upstream = try ScriptedUpstream { request in
            if !request.isProbe { asked.withLock { $0.append(request) } }
            return .silence
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(5))
        let client = try TestSocket.udp(server.address)
        var answered = 0
        func answerNext(omitting omitted: Set<Int>) throws {
            while asked.withLock({ $0.count }) == answered { _ = sched_yield() }
            let request = asked.withLock { $0[answered] }
            answered += 1
            let records = (0..<70).map { record(1, [10, 0, 0, UInt8($0)]) }
            try Fragments.send(
                request.reply(answers: records), from: upstream.address,
                to: SocketAddress(.v4(0x7F00_0001), port: request.port), id: UInt16(answered), omitting: omitted)
        }
        for lost in [[], [0], [1], [2]] as [Set<Int>] {
            try client.send(try TestQuery("lost\(lost.first ?? 9).example.com").offering(payload: 1232).octets)
            try answerNext(omitting: lost)
            // Meanwhile names of the zone are answered.
            #expect(try TestSocket.udp(server.address).ask(web).addresses.count == 3)
            if !lost.isEmpty { try answerNext(omitting: []) }
            #expect(try TestReply(try client.receive()).addresses.count == 70)
        }
    }

    @Test func `a dead upstream costs a query or two a retry, and comes back by itself`() throws {
        let address = try deadAddress()
        let good = try ScriptedUpstream(address: 2)
        let server = try TestEngine(upstreams: [address, good.address])
        for number in 0..<20 {
            #expect(try server.ask(TestQuery("name\(number).example.com")).addresses == [.v4(0xC000_0202)])
        }
        #expect((1...UInt64(UpstreamHealth.maximumRefusals)).contains(server.engine.statistics()[.retries]))
        let back = try ScriptedUpstream(at: address, address: 1)
        try server.waitForStatistics { $0.upstreams.allSatisfy(\.isHealthy) }
        #expect(try server.ask(TestQuery("later.example.com")).addresses == [.v4(0xC000_0201)])
        _ = back
    }

    /// All codes except NOERROR, NXDOMAIN and YXDOMAIN: FORMERR, SERVFAIL, NOTIMP, REFUSED and those of updates.
    @Test(arguments: [UInt8(1), 2, 4, 5, 7, 8, 9, 10, 11, 15])
    func `an upstream that answers with an error hands the query to the next one`(code: UInt8) throws {
        let bad = try ScriptedUpstream { .messages([$0.reply(code: code)]) }
        let good = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [bad.address, good.address])
        for number in 0..<50 {
            #expect(try server.ask(TestQuery("name\(number).example.com")).addresses.count == 1)
        }
        #expect(server.engine.statistics()[.failures] == 0)
        // After some errors in a row the upstream is avoided for 5 s, and again after each further error. FORMERR and
        // NOTIMP are asked for twice, the second time without EDNS.
        let names = Set(bad.requests.map { $0.name.map(\.lowercasedASCII) })
        #expect(names.count < 20)
        #expect(bad.requests.count <= names.count * (code == 1 || code == 4 ? 2 : 1) + 2)
    }

    @Test func `when all say SERVFAIL, so does the answer, with its reason, and it is kept briefly`() throws {
        let bad = try ScriptedUpstream { .messages([$0.reply(code: 2)]) }
        let server = try TestEngine(upstreams: [bad.address])
        let query = TestQuery("www.example.com")
        let reply = try server.ask(query.offering(payload: 1232))
        #expect(reply.outcome == .serverFailure && reply.edns != nil)
        // RFC 8914 §2: the option's code, its length, and the info code.
        #expect(reply.octets.suffix(6) == [0, 15, 0, 2, 0, 22])
        #expect(try server.ask(query).outcome == .serverFailure)
        #expect(bad.requests.count == 1)
        #expect(server.engine.statistics()[.cachedFailures] == 1)
        bad.change { .messages([$0.address()]) }
        #expect(try server.ask(TestQuery("other.example.com")).addresses.count == 1)
    }

    @Test func `all dead: SERVFAIL, not as late as the timeout; then one is back, and answers`() throws {
        let address = try deadAddress()
        let server = try TestEngine(upstreams: [address], timeout: .seconds(60))
        #expect(try server.ask(TestQuery("name.example.com")).outcome == .serverFailure)
        let back = try ScriptedUpstream(at: address)
        #expect(try server.ask(TestQuery("other.example.com")).addresses.count == 1)
        _ = back
    }

    @Test func `a silent upstream costs a client no more than the timeout`() throws {
        let silent = try ScriptedUpstream { _ in .silence }
        let server = try TestEngine(upstreams: [silent.address], timeout: .milliseconds(300))
        let (reply, milliseconds) = try server.time("www.example.com")
        #expect(reply.outcome == .serverFailure && milliseconds >= 290)
        // It was asked several times meanwhile.
        #expect((2...Resolution.maximumAttempts).contains(silent.requests.count))
        #expect(server.engine.statistics()[.timeouts] == 1)
    }

    // A case of Unbound's: serve_expired_0ttl_nxdomain.rpl.
    @Test func `RFC 8767 §4 an expired answer does not stand in once there was a newer one, kept or not`() throws {
        let upstream = try ScriptedUpstream(ttl: 1)
        let server = try TestEngine(upstreams: [upstream.address], timeout: .milliseconds(300))
        let query = TestQuery("www.example.com")
        #expect(try server.ask(query).addresses.count == 1)
        upstream.change { .messages([$0.nameError(ttl: 0, minimum: 0)]) }
        // This goes on until the answer has expired.
        while try server.ask(query).outcome != .nameError {}
        upstream.change { .messages([$0.reply(code: 2)]) }
        #expect(try server.ask(query).outcome == .serverFailure)
        #expect(server.engine.statistics()[.cacheEntries] == 0)
        // fwd_0ttlservfail.rpl: nor does the failure, once it is over.
        upstream.change { .messages([$0.address(2, ttl: 0)]) }
        while try server.ask(query).outcome == .serverFailure {}
        #expect(try server.ask(query).addresses == [.v4(0xC000_0202)])
    }

    @Test func `RFC 8767 §4 an expired answer stands in for one that can't be had, with a TTL of at most 30`() throws {
        let upstream = try ScriptedUpstream(ttl: 1)
        let server = try TestEngine(upstreams: [upstream.address], timeout: .milliseconds(100))
        let query = TestQuery("www.example.com").offering(payload: 1232)
        #expect(try server.ask(query).addresses.count == 1)
        upstream.change { _ in .silence }
        // This goes on until the answer has expired.
        while upstream.requests.count < 2 {
            let reply = try server.ask(query)
            #expect(reply.addresses.count == 1 && reply.answers.allSatisfy { (1...30).contains($0.ttl) })
        }
        let stale = try server.ask(query)
        #expect(stale.addresses.count == 1 && stale.answers.map(\.ttl) == [30])
        #expect(stale.octets.suffix(6) == [0, 15, 0, 2, 0, 3])
        #expect(server.engine.statistics()[.staleAnswers] >= 2)
    }

    @Test(arguments: [1, 2])
    func `upstreams that lose 30 % of all queries lose no client's`(count: Int) throws {
        let random = Mutex(SeededRandom(4))
        let upstreams = try (0..<count).map { _ in
            try ScriptedUpstream { request in
                random.withLock { $0.next() % 10 < 3 } ? .silence : .messages([request.address()])
            }
        }
        let server = try TestEngine(upstreams: upstreams.map(\.address), policy: .roundRobin, timeout: .seconds(5))
        for number in 0..<60 { #expect(try server.ask(TestQuery("name\(number).example.com")).addresses.count == 1) }
    }

    @Test func `an answer that comes late, after another upstream was asked too, is taken`() throws {
        let late = try ScriptedUpstream { .late(milliseconds: 250, $0.address(1)) }
        let silent = try ScriptedUpstream { _ in .silence }
        let server = try TestEngine(upstreams: [late.address, silent.address], timeout: .seconds(20))
        #expect(try server.ask(TestQuery("www.example.com")).addresses == [.v4(0xC000_0201)])
        #expect(silent.requests.count >= 1)
    }

    @Test func `a flapping upstream beside a good one fails nobody`() throws {
        let isDown = Atomic<Bool>(false)
        let flapping = try ScriptedUpstream { request in
            isDown.load(ordering: .relaxed) ? .silence : .messages([request.address()])
        }
        let good = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [flapping.address, good.address], policy: .roundRobin)
        for number in 0..<120 {
            isDown.store(number / 20 % 2 == 1, ordering: .relaxed)
            #expect(try server.ask(TestQuery("name\(number).example.com")).addresses.count == 1)
        }
    }

    @Test func `answers that can't be true are not passed on`() throws {
        let bank: [UInt8] = [4] + "bank".utf8 + [3] + "com".utf8 + [0]
        let right = record(1, [192, 0, 2, 1])
        let lies: [@Sendable (UpstreamRequest) -> [UInt8]] = [
            // The only record is about another name.
            { $0.reply(answers: [record(1, owner: bank, [6, 6, 6, 6])]) },
            // The record has another type.
            { $0.reply(answers: [record(28, [UInt8](repeating: 6, count: 16))]) },
            // There are records, but the code says that the name does not exist.
            { $0.reply(code: 3, answers: [right]) },
            // A CNAME leads to itself.
            { $0.reply(answers: [record(5, [0xC0, 12])]) },
            // There are fewer records than the header says.
            {
                var reply = $0.address(); reply[7] = 2; return reply
            },
            // An address has three octets.
            { $0.reply(answers: [record(1, [1, 2, 3])]) },
            // An owner is a pointer that leads forward.
            { $0.reply(answers: [record(1, owner: [0xC0, 0xFF], [1, 2, 3, 4])]) },
        ]
        for (number, lie) in lies.enumerated() {
            let lying = try ScriptedUpstream { .messages([lie($0)]) }
            let good = try ScriptedUpstream(address: 2)
            let server = try TestEngine(upstreams: [lying.address, good.address])
            #expect(try server.ask(TestQuery("www.example.com")).addresses == [.v4(0xC000_0202)], "lie \(number)")
            #expect(lying.distinctRequests.count == 1)
        }
    }

    @Test func `an upstream that closes each connection is not connected to for a while, then again`() throws {
        let upstream = try ScriptedUpstream { $0.isTCP ? .close : .messages([$0.reply(flags: 0x83)]) }
        let server = try TestEngine(upstreams: [upstream.address])
        let start = ContinuousClock.now
        for number in 0..<20 {
            #expect(try server.ask(TestQuery("name\(number).example.com")).outcome == .serverFailure)
        }
        // There are three connections at first, and one more after each pause, if the test takes that long.
        let pauses = Int((ContinuousClock.now - start) / .seconds(1))
        #expect((3...(3 + pauses)).contains(upstream.requests.count { $0.isTCP }))
        upstream.change { $0.isTCP ? .messages([$0.address()]) : .messages([$0.reply(flags: 0x83)]) }
        var number = 20
        while try server.ask(TestQuery("name\(number).example.com")).outcome == .serverFailure {
            #expect(ContinuousClock.now - start < .seconds(30))
            number += 1
            usleep(10_000)
        }
        let other = try TestSocket.tcp(server.address).askFramed(TestQuery("other.example.com"))
        #expect(other.addresses.count == 1)
    }

    @Test(arguments: [1, 3])
    func `an upstream that closes each connection after some answers costs no client its answer`(count: Int) throws {
        let upstream = try ScriptedUpstream(answersPerConnection: count) { request in
            .messages([request.isTCP ? request.address() : request.reply(flags: 0x83)])
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        for round in 0..<3 {
            let socket = try TestSocket.udp(server.address)
            for number in 0..<20 { try socket.send(try TestQuery("name\(number).r\(round).example.com").octets) }
            for _ in 0..<20 { #expect(try TestReply(try socket.receive()).addresses.count == 1) }
        }
        // Queries of the first round that shared a connection with others are sent again. Later ones wait for their
        // turn.
        #expect(upstream.requests.count { $0.isTCP } <= 60 + 20)
        #expect(server.engine.statistics()[.failures] == 0)
    }

    @Test func `of hundreds that wait for a connection, all are answered or get an error at their deadline`() throws {
        let upstream = try ScriptedUpstream(answersPerConnection: 1) { request in
            .messages([request.isTCP ? request.address() : request.reply(flags: 0x83)])
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        let socket = try TestSocket.udp(server.address)
        for number in 0..<300 { try socket.send(try TestQuery("name\(number).example.com").octets) }
        for _ in 0..<300 { #expect(try TestReply(try socket.receive()).addresses.count == 1) }
        // The upstream falls silent while they wait.
        upstream.change { $0.isTCP ? .silence : .messages([$0.reply(flags: 0x83)]) }
        let impatient = try TestEngine(upstreams: [upstream.address], timeout: .milliseconds(500))
        let other = try TestSocket.udp(impatient.address)
        for number in 0..<100 { try other.send(try TestQuery("name\(number).example.com").octets) }
        for _ in 0..<100 { #expect(try TestReply(try other.receive()).outcome == .serverFailure) }
        #expect(impatient.engine.statistics()[.inFlight] == 0)
    }

    @Test func `an upstream that closes TCP early hands the query to the next one`() throws {
        let closing = try ScriptedUpstream { $0.isTCP ? .close : .messages([$0.reply(flags: 0x83)]) }
        let good = try ScriptedUpstream(address: 2)
        let server = try TestEngine(upstreams: [closing.address, good.address])
        #expect(try server.ask(TestQuery("www.example.com")).addresses == [.v4(0xC000_0202)])
    }

    @Test func `thousands of names at a silent upstream exhaust only their own limit`() throws {
        let silent = try ScriptedUpstream { _ in .silence }
        let server = try TestEngine(upstreams: [silent.address], timeout: .seconds(2))
        let socket = try TestSocket.udp(server.address)
        let client = try TestSocket.udp(server.address)
        for number in 0..<2000 {
            try socket.send(try TestQuery("random\(number).example.com").octets)
            if number % 100 == 0 { #expect(try client.ask(web).addresses.count == 3) }
        }
        // One network has a quarter of them.
        try server.waitForStatistics { $0[.overLimit] + $0[.gaveWay] + $0[.timeouts] == 2000 && $0[.inFlight] == 0 }
        #expect(try client.ask(web).addresses.count == 3)
    }

    @Test func `above the limit new names are SERVFAIL at once, while hits and own names are answered`() throws {
        let upstream = try ScriptedUpstream()
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20), maximumInFlight: 40)
        #expect(try server.ask(TestQuery("hit.example.com")).addresses.count == 1)
        upstream.change { _ in .silence }
        let socket = try TestSocket.udp(server.address)
        for number in 0..<50 { try socket.send(try TestQuery("random\(number).example.com").octets) }
        for _ in 0..<40 { #expect(try TestReply(try socket.receive()).outcome == .serverFailure) }
        #expect(try server.ask(TestQuery("hit.example.com")).addresses.count == 1)
        #expect(try server.ask(web).addresses.count == 3)
        let statistics = server.engine.statistics()
        // Some may have given way, if this took long.
        #expect(statistics[.overLimit] + statistics[.gaveWay] == 40 && statistics[.inFlight] == 10)
    }
}
