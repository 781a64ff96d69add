import Foundation
import Testing

/// Whole clusters in virtual time, each of which is what its seed says.
@Suite struct SimulationTests {
    /// Runs a seed.
    ///
    /// - Returns: what was wrong, with the last steps; `nil`: nothing.
    private static func failure(_ seed: UInt64, _ sabotage: Sabotage? = nil) -> (report: String?, digest: UInt64) {
        let cluster = Cluster(seed: seed, sabotage)
        cluster.run()
        let report = cluster.world.failure.map { "seed \(seed): \($0)\n\(cluster.world.trace.lastSteps)" }
        return (report, cluster.world.trace.digest)
    }

    /// The seeds to run: `SEEDS` of them from `SEED` on.
    private static let seeds: Range<UInt64> = {
        let environment = ProcessInfo.processInfo.environment
        let start = environment["SEED"].flatMap { UInt64($0) } ?? 1
        return start..<start + (environment["SEEDS"].flatMap { UInt64($0) } ?? 20)
    }()

    @Test(arguments: 0..<2 as Range<UInt64>)
    func `whatever goes wrong, nothing is lost, nothing comes back, and all nodes agree in the end`(part: UInt64) {
        for seed in Self.seeds where seed % 2 == part {
            if let report = Self.failure(seed).report { Issue.record("\(report)") }
        }
    }

    @Test func `a seed is the same every time`() {
        for seed in 1...5 as ClosedRange<UInt64> {
            #expect(Self.failure(seed).digest == Self.failure(seed).digest, "seed \(seed)")
        }
    }

    @Test(arguments: Sabotage.allCases)
    func `a fault put in on purpose is found`(_ sabotage: Sabotage) throws {
        let found = (1...1000 as ClosedRange<UInt64>).first { seed in
            // It is the fault that is found, and nothing else.
            Self.failure(seed, sabotage).report != nil && Self.failure(seed).report == nil
        }
        let seed = try #require(found)
        let problem = Self.failure(seed, sabotage).report?.split(separator: "\n").first ?? ""
        print("\(sabotage) is found: \(problem)")
    }
}
