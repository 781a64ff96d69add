import Testing

@testable import Engine

/// What is learned about upstreams from their answers, and unlearned.
struct LearningTests {
    private func name(_ number: Int) -> TestQuery { TestQuery("a-long-name\(number).example.com") }

    // MARK: EDNS

    /// A header without records, as sent by a server that could not read the query.
    private static func formatError(_ request: UpstreamRequest) -> [UInt8] {
        [UInt8](request.reply(code: 1).prefix(4)) + [UInt8](repeating: 0, count: 8)
    }

    @Test(arguments: [true, false])
    func `an upstream that does not know EDNS is asked without, for one round trip more, once`(
        repeatsQuestion: Bool
    ) throws {
        let old = try ScriptedUpstream { request in
            guard request.hasEDNS else { return .messages([request.address()]) }
            return .messages([repeatsQuestion ? request.reply(code: 4) : Self.formatError(request)])
        }
        let server = try TestEngine(upstreams: [old.address], timeout: .seconds(20))
        for number in 0..<3 { #expect(try server.ask(name(number)).addresses.count == 1) }
        #expect(old.distinctRequests.count { $0.hasEDNS } == 1)
    }

    @Test func `EDNS is not given up if an upstream refuses ANY, or if it refuses without EDNS too`() throws {
        let upstream = try ScriptedUpstream { request in
            request.type == 255 || request.name.count > 30
                ? .messages([request.reply(code: 4)]) : .messages([request.address()])
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        #expect(try server.ask(TestQuery("any.example.com", .any)).outcome == .serverFailure)
        #expect(try server.ask(TestQuery("a-name-that-it-does-not-like-at-all.example.com")).outcome == .serverFailure)
        #expect(try server.ask(name(1)).addresses.count == 1)
        #expect(upstream.requests.last?.hasEDNS == true)
        // This holds even if ANY is answered without EDNS.
        upstream.change { request in
            request.hasEDNS && request.type == 255
                ? .messages([request.reply(code: 1)]) : .messages([request.address()])
        }
        #expect(try server.ask(TestQuery("other.example.com", .any)).answers.count == 1)
        #expect(try server.ask(name(2)).addresses.count == 1)
        #expect(upstream.requests.last?.hasEDNS == true)
    }

    @Test func `where DNSSEC records are wanted, EDNS is not given up, and another upstream is tried first`() throws {
        let old = try ScriptedUpstream { request in
            request.hasEDNS ? .messages([request.reply(code: 1)]) : .messages([request.address(1)])
        }
        let good = try ScriptedUpstream(address: 2)
        let server = try TestEngine(upstreams: [old.address, good.address], timeout: .seconds(20))
        let signed = name(0).offering(payload: 1232, dnssecOK: true)
        #expect(try server.ask(signed).addresses == [.v4(0xC000_0202)])
        #expect(old.distinctRequests.allSatisfy { $0.hasEDNS })
        // If it is the only upstream, it is asked without EDNS for this answer, and with EDNS the next time.
        let other = try TestEngine(upstreams: [old.address], timeout: .seconds(20))
        for number in 1...2 {
            let query = name(number).offering(payload: 1232, dnssecOK: true)
            #expect(try other.ask(query).addresses == [.v4(0xC000_0201)])
        }
        #expect(old.distinctRequests.suffix(4).map(\.hasEDNS) == [true, false, true, false])
        #expect(try other.ask(name(3)).addresses.count == 1)
        #expect(old.distinctRequests.suffix(2).map(\.hasEDNS) == [true, false])
        // DNSSEC records are not lost either once it is known that it has no EDNS.
        #expect(try other.ask(name(4)).addresses.count == 1)
        #expect(old.distinctRequests.last?.hasEDNS == false)
        #expect(try other.ask(name(5).offering(payload: 1232, dnssecOK: true)).addresses.count == 1)
        #expect(old.distinctRequests.suffix(2).map(\.hasEDNS) == [true, false])
    }

    @Test func `without EDNS over TCP: no loop`() throws {
        let upstream = try ScriptedUpstream { request in
            if request.hasEDNS { return .messages([request.reply(code: 1)]) }
            return .messages([request.isTCP ? request.address() : request.reply(flags: 0x83)])
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        #expect(try server.ask(name(0)).addresses.count == 1)
        #expect(upstream.distinctRequests.map(\.isTCP) == [false, false, true])
        #expect(upstream.distinctRequests.map(\.hasEDNS) == [true, false, false])
    }

    // MARK: Case

    /// An engine whose upstream is known to preserve the case of letters.
    private func learned(_ upstream: ScriptedUpstream) throws -> TestEngine {
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        #expect(try server.ask(name(0)).addresses.count == 1)
        return server
    }

    @Test func `an upstream that begins to lower-case costs one name a query over TCP, and no other name`() throws {
        let upstream = try ScriptedUpstream()
        let server = try learned(upstream)
        upstream.change { .messages([$0.inSmallLetters($0.address())]) }
        for number in 1...4 { #expect(try server.ask(name(number)).addresses.count == 1) }
        let later = upstream.distinctRequests.dropFirst()
        #expect(later.count { $0.isTCP } == 1 && later.count { !$0.isTCP && $0.hasCapitals } == 1)
        #expect(server.engine.statistics()[.failures] == 0)
    }

    @Test(arguments: [false, true])
    func `an upstream that begins to lower-case and has no TCP is asked in small letters`(isSilent: Bool) throws {
        let upstream = try ScriptedUpstream()
        let server = try learned(upstream)
        upstream.change { request in
            guard !request.isTCP else { return isSilent ? .silence : .close }
            return .messages([request.inSmallLetters(request.address())])
        }
        for number in 1...4 { #expect(try server.ask(name(number)).addresses.count == 1) }
        let later = upstream.distinctRequests.dropFirst()
        #expect(later.count { !$0.isTCP && $0.hasCapitals } == 1)
    }

    @Test func `a forged answer in another case does not switch the protection off, nor is it taken`() throws {
        let upstream = try ScriptedUpstream()
        let server = try learned(upstream)
        upstream.change { request in
            request.isTCP ? .messages([request.address(7)]) : .messages([request.inSmallLetters(request.address(6))])
        }
        #expect(try server.ask(name(1)).addresses == [.v4(0xC000_0207)])
        // It was asked once more, over TCP, with letters that show that case is still preserved.
        #expect(upstream.distinctRequests.dropFirst().map(\.isTCP) == [false, true])
        #expect(upstream.requests.allSatisfy { $0.hasCapitals })
        let forged = UInt64(upstream.requests.dropFirst().count { !$0.isTCP })
        #expect(server.engine.statistics()[.wrongAnswers] == forged)
        upstream.change { .messages([$0.address(8)]) }
        #expect(try server.ask(name(2)).addresses == [.v4(0xC000_0208)])
        #expect(upstream.requests.last?.hasCapitals == true && upstream.requests.last?.isTCP == false)
    }

    @Test func `case that is lost on the way, over UDP alone, costs a few names TCP, and no more`() throws {
        let upstream = try ScriptedUpstream()
        let server = try learned(upstream)
        upstream.change { .messages([$0.isTCP ? $0.address() : $0.inSmallLetters($0.address())]) }
        for number in 1...10 { #expect(try server.ask(name(number)).addresses.count == 1) }
        #expect(upstream.distinctRequests.count { $0.isTCP } == UpstreamFeatures.maximumCaseDoubts)
    }

    @Test func `a forged answer now and then is not taken for a loss on the way`() throws {
        let upstream = try ScriptedUpstream()
        let server = try learned(upstream)
        for number in 1...10 {
            upstream.change { request in
                let isForged = number % 3 != 0 && !request.isTCP
                return .messages([isForged ? request.inSmallLetters(request.address()) : request.address()])
            }
            #expect(try server.ask(name(number)).addresses.count == 1)
        }
        #expect(upstream.requests.allSatisfy { $0.hasCapitals })
    }

    @Test func `an upstream that changes the case and has failed in small letters is not waited for`() throws {
        let upstream = try ScriptedUpstream { request in
            .messages([request.inSmallLetters(request.hasCapitals ? request.address() : request.reply(code: 2))])
        }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        #expect(try server.ask(name(0)).outcome == .serverFailure)
        #expect(server.engine.statistics()[.timeouts] == 0)
    }

    // MARK: Failures

    @Test func `a failure is forgotten once the name is answered: its next answer is waited for, not stale`() throws {
        let upstream = try ScriptedUpstream { .messages([$0.reply(code: 2)]) }
        let server = try TestEngine(upstreams: [upstream.address], timeout: .seconds(20))
        let query = name(0)
        #expect(try server.ask(query).outcome == .serverFailure)
        upstream.change { .messages([$0.address(1, ttl: 1)]) }
        while try server.ask(query).outcome != .records {}
        upstream.change { .messages([$0.address(2)]) }
        // This goes on until the first answer has expired.
        while try server.ask(query).addresses == [.v4(0xC000_0201)] {}
        #expect(server.engine.statistics()[.staleAnswers] == 0)
    }
}
