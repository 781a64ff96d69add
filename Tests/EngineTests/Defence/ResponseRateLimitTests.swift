import Synchronization
import Testing

@testable import Engine

/// The buckets of the rate limit, in virtual time.
struct ResponseRateLimitTests {
    private let client = IPAddress.v4(0xC000_0201)
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    private func makeLimit(
        _ number: Int, slip: Int = 2, limitsLoopback: Bool = true, lineCount: Int = 1024
    ) throws -> ResponseRateLimit {
        try ResponseRateLimit(
            ResponseRateLimitSettings(responsesPerSecond: number, slip: slip, limitsLoopback: limitsLoopback),
            lineCount: lineCount)
    }

    private func verdicts(
        _ limit: ResponseRateLimit, _ count: Int, _ client: IPAddress? = nil, _ kind: ResponseRateLimit.Kind = .records,
        hash: UInt64 = 1, after delay: Nanoseconds = .zero
    ) -> [ResponseRateLimit.Verdict] {
        (0..<count).map { _ in limit.view.check(client ?? self.client, kind, hash, now: start + delay) }
    }

    @Test func `a second's responses may come at once, then as many as the rate has`() throws {
        let limit = try makeLimit(5)
        #expect(verdicts(limit, 8) == [.send, .send, .send, .send, .send, .drop, .truncate, .drop])
        #expect(verdicts(limit, 1, after: .milliseconds(199)) == [.truncate])
        #expect(verdicts(limit, 2, after: .milliseconds(200)) == [.send, .drop])
        #expect(verdicts(limit, 4, after: .milliseconds(800)) == [.send, .send, .send, .truncate])
        #expect(verdicts(limit, 6, after: .seconds(10)).count { $0 == .send } == 5)
    }

    @Test(arguments: [(0, "ddddddd"), (1, "ttttttt"), (3, "ddtddtd"), (7, "ddddddt")])
    func `every n-th response above the limit is truncated`(slip: Int, expected: String) throws {
        let limit = try makeLimit(1, slip: slip)
        #expect(verdicts(limit, 1) == [.send])
        #expect(String(verdicts(limit, 7).map { $0 == .drop ? "d" : "t" }) == expected)
    }

    @Test(arguments: [(1, 60), (3, 60), (200, 5), (999, 2), (10_000, 1)])
    func `the rate holds for long`(rate: Int, seconds: Int) throws {
        let limit = try makeLimit(rate)
        // As many again each second, and one burst at the beginning.
        var sent = 0
        for part in 0..<(20 * seconds) {
            let delay = Nanoseconds.milliseconds(Int64(part * 50))
            sent += verdicts(limit, max(rate / 10, 1), after: delay).count { $0 == .send }
        }
        #expect(sent >= rate * seconds && sent <= rate * (seconds + 1), "\(sent)")
    }

    @Test func `who asks a little too often gets every n-th response truncated too`() throws {
        let limit = try makeLimit(1, slip: 2)
        let all = (0..<9).flatMap { verdicts(limit, 2, after: .seconds($0)) }
        #expect(all.count { $0 == .send } == 9 && all.count { $0 == .truncate } == 4)
    }

    @Test func `networks, kinds and names are counted on their own`() throws {
        let limit = try makeLimit(1)
        let networks: [IPAddress] = [
            client, .v4(0xC000_0301), .v6(0x2001_0DB8_0000_0100, 1), .v6(0x2001_0DB8_0000_0200, 1), .v6(0, 1),
        ]
        for network in networks {
            for kind in [ResponseRateLimit.Kind.records, .noData, .nameError, .error, .outside] {
                for hash in [UInt64(0), 1, 2] {
                    #expect(verdicts(limit, 2, network, kind, hash: hash) == [.send, .drop])
                }
            }
        }
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.255"), ("192.0.2.1", "::ffff:192.0.2.9"), ("::ffff:192.0.2.1", "::ffff:192.0.2.200"),
        ("2001:db8:0:100::1", "2001:db8:0:1ff:ffff::"),
    ])
    func `addresses of one network share its tokens`(one: String, other: String) throws {
        let limit = try makeLimit(1)
        let one = try #require(IPAddress(one))
        let other = try #require(IPAddress(other))
        #expect(verdicts(limit, 1, one) == [.send])
        #expect(verdicts(limit, 1, other) == [.drop])
        #expect(one.limitedNetwork.contains(other.unmapped))
    }

    @Test(arguments: ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"])
    func `loopback can be left out`(client: String) throws {
        let client = try #require(IPAddress(client))
        #expect(verdicts(try makeLimit(1), 2, client) == [.send, .drop])
        #expect(verdicts(try makeLimit(1, limitsLoopback: false), 9, client).allSatisfy { $0 == .send })
    }

    @Test func `a flood of forged networks gives nobody tokens back`() throws {
        let limit = try makeLimit(10, lineCount: 4)
        #expect(verdicts(limit, 11).last == .drop)
        for network in 0..<2000 {
            #expect(verdicts(limit, 1, .v4(0x1000_0000 &+ UInt32(network) << 8)) == [.send])
        }
        #expect(!verdicts(limit, 9).contains(.send))
    }

    @Test func `a bucket that nobody used for days is full again`() throws {
        let limit = try makeLimit(2)
        for hours: Int64 in [0, 1, 30, 74, 75, 76, 77, 78, 79, 160, 1000] {
            #expect(verdicts(limit, 3, after: .seconds(hours * 3600)).count { $0 == .send } == 2, "\(hours)")
        }
    }

    @Test func `workers that share a bucket take no token twice`() async throws {
        let limit = try makeLimit(1000)
        let sent = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 { group.addTask { verdicts(limit, 2000).count { $0 == .send } } }
            return await group.reduce(0, +)
        }
        #expect(sent == 1000)
    }

    @Test func `limited networks are told once, and no more than some`() throws {
        let limit = try makeLimit(1)
        for number in 0..<100 { limit.limited.note(.v4(0x0A00_0001 + UInt32(number) << 8)) }
        limit.limited.note(.v4(0x0A00_00FF))
        let limited = limit.limited.take()
        #expect(limited.counts.count == LimitedNetworks.maximumCount && limited.others == 36)
        #expect(limited.counts[IPNetwork(.v4(0x0A00_0000), prefixLength: 24)] == 2)
        #expect(limit.limited.take() == LimitedNetworks())
    }
}
