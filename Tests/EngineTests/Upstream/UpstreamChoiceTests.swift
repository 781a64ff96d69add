import Testing

@testable import Engine

/// Which upstream is asked, and what is remembered about each. Pure, without a clock.
struct UpstreamChoiceTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    private func candidates(_ times: Int64?...) -> [UpstreamCandidate] {
        times.enumerated().map { UpstreamCandidate(index: $0, roundTripTime: $1.map { .milliseconds($0) }) }
    }

    private func makeSet(_ count: UInt16, _ policy: UpstreamPolicyName) -> UpstreamSet {
        let servers = (0..<count).map { SocketAddress(.v4(0x7F00_0001), port: 1000 + $0) }
        return UpstreamSet(UpstreamConfiguration(servers: servers, policy: policy))
    }

    @Test func `the fastest is chosen, but one that was never asked comes first`() {
        var policy = FastestPolicy()
        #expect(policy.choose(among: candidates(30, 10, 20), random: 7) == 1)
        #expect(policy.choose(among: candidates(30, 10, nil), random: 7) == 2)
        let besides = (UInt64(0)..<6400).compactMap {
            policy.explore(besides: 1, among: candidates(30, 10, 20), random: $0)
        }
        #expect(besides.count == 100 && Set(besides) == [0, 2])
        policy = FastestPolicy()
        #expect(policy.explore(besides: 0, among: candidates(30), random: 0) == nil)
    }

    @Test func `round robin takes each in turn, random any, sequential the first`() {
        var turns: any UpstreamPolicy = UpstreamPolicyName.roundRobin.makePolicy()
        #expect((0..<6).map { _ in turns.choose(among: candidates(1, 2, 3), random: 0) } == [0, 1, 2, 0, 1, 2])
        var random: any UpstreamPolicy = UpstreamPolicyName.random.makePolicy()
        #expect(Set((UInt64(0)..<3).map { random.choose(among: candidates(1, 2, 3), random: $0) }) == [0, 1, 2])
        var first: any UpstreamPolicy = UpstreamPolicyName.sequential.makePolicy()
        #expect(first.choose(among: candidates(9, 1), random: 5) == 0)
    }

    @Test func `one that answers as usual goes before a suspect one, and one not asked before one that was asked`() {
        let set = makeSet(3, .sequential)
        func choose(asked: [Int] = [], excluded: [Int] = []) -> Int? {
            set.choose(asked: asked, excluded: excluded, now: start, random: 1)?.index
        }
        #expect(choose() == 0)
        set[0].overdue(sentAt: start)
        #expect(choose() == 1)
        #expect(choose(asked: [1]) == 2)
        #expect(choose(asked: [1, 2]) == 0)
        #expect(choose(asked: [0, 1, 2]) == 1)
        #expect(choose(asked: [0, 1, 2], excluded: [1]) == 2)
        #expect(choose(asked: [0, 1, 2], excluded: [0, 1, 2]) == nil)
        set[0].answered(sentAt: start, now: start + .milliseconds(5), .useful)
        #expect(choose() == 0)
    }

    @Test func `hedgeDelay follows the round-trip time, within its bounds`() {
        var health = UpstreamHealth()
        #expect(health.hedgeDelay == UpstreamHealth.initialHedgeDelay)
        for _ in 0..<50 { health.answered(sentAt: start, now: start + .milliseconds(1), .useful) }
        #expect(health.hedgeDelay == UpstreamHealth.minimumHedgeDelay)
        for _ in 0..<50 { health.answered(sentAt: start, now: start + .milliseconds(80), .useful) }
        #expect((80...120).contains(health.hedgeDelay.count / 1_000_000))
        for _ in 0..<50 { health.answered(sentAt: start, now: start + .seconds(2), .useful) }
        #expect(health.hedgeDelay == UpstreamHealth.maximumHedgeDelay)
    }

    @Test func `one that has answered since is not suspect, one that answers too late stays so`() {
        var health = UpstreamHealth()
        health.answered(sentAt: start, now: start + .milliseconds(10), .useful)
        let earlier = start + .milliseconds(5)
        health.overdue(sentAt: earlier)
        #expect(!health.isSuspect)
        let later = start + .milliseconds(20)
        health.overdue(sentAt: later)
        #expect(health.isSuspect)
        health.answered(sentAt: later, now: later + .milliseconds(400), .useful)
        #expect(health.isSuspect)
        health.answered(sentAt: later, now: later + .milliseconds(300), .useful)
        #expect(!health.isSuspect)
        health.unreachable()
        #expect(health.isSuspect)
    }

    @Test func `an upstream is suspect once it was said twice not to be there, with no answer in between`() {
        var health = UpstreamHealth()
        for _ in 0..<3 {
            health.refused()
            #expect(!health.isSuspect)
            health.answered(sentAt: start, now: start, .useless)
        }
        for _ in 0..<2 { health.refused() }
        #expect(health.isSuspect)
        health.answered(sentAt: start, now: start, .useful)
        health.refused()
        #expect(!health.isSuspect)
    }

    @Test func `a suspect upstream has one row of probes, which ends with it or is taken over`() throws {
        var health = UpstreamHealth()
        func begin() -> ProbeSchedule? { health.beginProbing() }
        #expect(begin() == nil)
        health.unreachable()
        let first = try #require(begin())
        #expect(health.isProbed(by: first))
        health.overdue(sentAt: start)
        #expect(begin() == nil)
        // The worker that probed it stops.
        health.endProbing(first)
        let second = try #require(begin())
        #expect(health.isProbed(by: second) && !health.isProbed(by: first))
        // It comes back, and fails again. A new row of probes begins, with short intervals at first, and the old one
        // ends.
        health.answered(sentAt: start, now: start, .useless)
        #expect(!health.isProbed(by: second))
        health.unreachable()
        let third = try #require(begin())
        #expect(health.isProbed(by: third) && !health.isProbed(by: second))
        health.endProbing(second)
        #expect(health.isProbed(by: third))
    }

    @Test func `errors in a row make others preferred for a while`() {
        var health = UpstreamHealth()
        for number in 1...UpstreamHealth.maximumErrors {
            #expect(health.isUsable(at: start), "before error \(number)")
            health.answered(sentAt: start, now: start, .useless)
        }
        #expect(!health.isUsable(at: start) && health.isUsable(at: start + UpstreamHealth.errorPause))
        // A good answer ends that time.
        health.answered(sentAt: start, now: start, .useful)
        #expect(health.isUsable(at: start))
    }

    @Test func `only errors in a row count: a good answer between them forgives all, an undecided one none`() {
        var health = UpstreamHealth()
        for _ in 0..<2 {
            for _ in 1..<UpstreamHealth.maximumErrors { health.answered(sentAt: start, now: start, .useless) }
            #expect(health.isUsable(at: start))
            health.answered(sentAt: start, now: start, .useful)
        }
        for _ in 1...UpstreamHealth.maximumErrors {
            #expect(health.isUsable(at: start))
            health.answered(sentAt: start, now: start, .undecided)
            health.failed(now: start)
        }
        #expect(!health.isUsable(at: start))
    }

    @Test func `probes come ever more seldom`() {
        var schedule = ProbeSchedule(number: 1)
        let intervals = (0..<7).map { _ in schedule.next().count / 1_000_000 }
        #expect(intervals == [100, 200, 400, 800, 1600, 3000, 3000])
    }

    @Test func `upstreams that stay are the same ones, whichever configuration they are asked by`() {
        let old = makeSet(2, .sequential)
        let staying = old[1]
        let new = UpstreamSet(
            UpstreamConfiguration(servers: [staying.address, SocketAddress(.v4(1), port: 53)]), previous: old)
        #expect(new[0] === staying && old.index(of: staying) == 1 && new.index(of: staying) == 0)
        #expect(new.index(of: old[0]) == nil && old.index(of: new[1]) == nil)
        // What a query that began before learns holds for later ones too.
        old[1].unreachable()
        #expect(new[0].health.isSuspect && !new[1].health.isSuspect)
        new[0].answered(sentAt: start, now: start, .useful)
        #expect(old[1].health.isUsable(at: start))
    }

    // MARK: Features

    @Test func `what an upstream can't do is forgotten after a while`() {
        var features = UpstreamFeatures()
        let end = start + UpstreamFeatures.memory
        #expect(features.usesEDNS(at: start) && features.casePreservation(at: start) == .unknown)
        features.answeredWithoutEDNS(now: start)
        #expect(!features.usesEDNS(at: start) && features.usesEDNS(at: end))
        features.preservedCase()
        #expect(features.casePreservation(at: start) == .yes)
        features.changedCase(now: start)
        #expect(features.casePreservation(at: start) == .no && features.casePreservation(at: end) == .unknown)
        for _ in 0..<UpstreamFeatures.maximumFailedConnections {
            #expect(features.takesConnections(at: start))
            features.connectionFailed(now: start)
        }
        #expect(!features.takesConnections(at: start))
        #expect(features.takesConnections(at: start + UpstreamFeatures.connectionPause))
        features.connectionAnswered()
        // Earlier failures no longer count.
        for _ in 0..<UpstreamFeatures.maximumFailedConnections {
            #expect(features.takesConnections(at: start))
            features.connectionFailed(now: start)
        }
        #expect(!features.takesConnections(at: start))
        #expect(features.takesPipelining(at: start))
        features.endedEarly(now: start)
        #expect(!features.takesPipelining(at: start) && features.takesPipelining(at: end))
    }

    @Test func `letters are in random case for public addresses, all or none, whatever was learned`() {
        for text in [
            "127.0.0.11", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.253", "100.64.0.1", "::1", "fd00::1",
            "fe80::1", "fec0:0:0:ffff::1", "::ffff:127.0.0.11", "::ffff:10.0.0.1",
        ] {
            #expect(IPAddress(text).map { CaseRandomization.automatic.applies(to: $0) } == false, "\(text)")
        }
        for text in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "128.0.0.1", "2620:fe::fe", "::ffff:9.9.9.9"] {
            #expect(IPAddress(text).map { CaseRandomization.automatic.applies(to: $0) } == true, "\(text)")
            #expect(IPAddress(text).map { CaseRandomization.off.applies(to: $0) } == false)
        }
        let servers = [SocketAddress(.v4(0x7F00_000B), port: 53), SocketAddress(.v4(0x0909_0909), port: 53)]
        let set = UpstreamSet(UpstreamConfiguration(servers: servers))
        #expect(servers.indices.map { set.features(of: $0).mixesCase(at: start) } == [false, true])
        set[1].learn { $0.changedCase(now: start) }
        #expect(!set.features(of: 1).mixesCase(at: start))
        let all = UpstreamSet(UpstreamConfiguration(servers: servers, caseRandomization: .on), previous: set)
        #expect(servers.indices.map { all.features(of: $0).mixesCase(at: start) } == [true, false])
    }

    @Test func `case that is lost over UDP alone is given up after some answers in a row`() {
        var features = UpstreamFeatures()
        features.preservedCase()
        for _ in 1..<UpstreamFeatures.maximumCaseDoubts { features.doubtedCase(now: start) }
        features.preservedCase()
        for _ in 1..<UpstreamFeatures.maximumCaseDoubts { features.doubtedCase(now: start) }
        #expect(features.casePreservation(at: start) == .yes)
        features.doubtedCase(now: start)
        #expect(features.casePreservation(at: start) == .no)
    }
}
