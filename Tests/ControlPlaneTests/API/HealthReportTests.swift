import Testing

@testable import ControlPlane
@testable import Engine

/// What the server says of its health.
@Suite struct HealthReportTests {
    private let now = WallTime(millisecondsSince1970: 1_800_000_000_000)

    private func summary(_ problem: String? = nil, type: String = "sqlite", queued: Int = 0) -> RegistrySummary {
        RegistrySummary(
            counts: StatusCounts(), serviceCount: 0, nameCount: 0, storeType: type,
            storeState: StoreState(problem: problem), zoneGeneration: 0, lastKnownNames: 0, queuedChanges: queued)
    }

    private func report(
        isReady: Bool = true, _ registry: RegistrySummary? = nil, upstreams: [UpstreamStatistics] = [],
        checks: CheckSummary? = CheckSummary(), daysLeft: Int? = nil
    ) -> HealthReport {
        let certificate = daysLeft.map {
            CertificateSummary(
                subject: "CN=a", notBefore: now.advanced(bySeconds: -86_400 * 365),
                notAfter: now.advanced(bySeconds: 86_400 * $0 + 1))
        }
        return HealthReport(
            isReady: isReady, registry: registry ?? summary(), upstreams: upstreams, checks: checks,
            certificate: certificate, now: now)
    }

    private func part(_ name: String, _ report: HealthReport) throws -> HealthReport.Part {
        try #require(report.parts.first { $0.name == name })
    }

    private func upstream(_ number: UInt32, _ kind: UpstreamStatistics.Failure.Kind? = nil) -> UpstreamStatistics {
        var upstream = UpstreamStatistics(address: SocketAddress(.v4(0x0101_0100 + number), port: 53))
        upstream.isHealthy = kind == nil
        upstream.lastFailure = kind.map { UpstreamStatistics.Failure(kind: $0, age: .zero) }
        return upstream
    }

    @Test func `all is well, and each part says so in words`() {
        let well = report(upstreams: [upstream(1)], daysLeft: 40)
        #expect(well.verdict == .pass)
        #expect(well.parts.map(\.name) == ["dns", "storage", "upstreams", "checker", "queue", "certificate"])
        #expect(well.parts.allSatisfy { $0.verdict == .pass && !$0.message.isEmpty })
        #expect(report().parts.count == 5)
    }

    @Test func `only without DNS the server fails as a whole`() throws {
        #expect(report(isReady: false).verdict == .fail)
        let stored = report(summary("the disk is full"))
        #expect(try stored.verdict == .warn && part("storage", stored).verdict == .fail)
        #expect(try part("storage", stored).message == "sqlite: the disk is full")
    }

    @Test func `upstreams that fail are named with the reason`() throws {
        let one = report(upstreams: [upstream(1), upstream(2, .timeout)])
        #expect(one.verdict == .warn)
        #expect(try part("upstreams", one).verdict == .warn)
        #expect(try part("upstreams", one).message == "1 of 2: 1.1.1.2:53 does not answer in time")
        let all = report(upstreams: [upstream(1, .answer), upstream(2, .unreachable)])
        #expect(try all.verdict == .warn && part("upstreams", all).verdict == .fail)
    }

    @Test func `a checker that is cut off, and a queue that fills, are warnings`() throws {
        var checks = CheckSummary()
        checks.isCutOff = true
        #expect(try part("checker", report(checks: checks)).verdict == .warn)
        let limit = CommitQueue.maximumCommands
        for (queued, verdict) in [(limit / 2 - 1, HealthReport.Verdict.pass), (limit / 2, .warn), (limit, .fail)] {
            let report = report(summary(queued: queued))
            #expect(try part("queue", report).verdict == verdict)
            #expect(report.verdict == (verdict == .pass ? .pass : .warn))
        }
    }

    @Test(arguments: [(14, HealthReport.Verdict.pass), (13, .warn), (0, .warn), (-1, .fail)])
    func `a certificate warns from 14 days before its end on`(days: Int, verdict: HealthReport.Verdict) throws {
        #expect(try part("certificate", report(daysLeft: days)).verdict == verdict)
    }
}
