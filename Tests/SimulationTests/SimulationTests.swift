import Foundation
import Testing

/// Whole clusters in virtual time, each determined by its seed.
@Suite struct SimulationTests {
    /// Runs a seed.
    ///
    /// - Returns: what was wrong, with the last steps; `nil` if nothing was.
    private static func failure(
        _ kind: Cluster.Kind, _ seed: UInt64, _ sabotage: Sabotage? = nil
    ) -> (report: String?, digest: UInt64) {
        let cluster = Cluster(kind, seed: seed, sabotage)
        cluster.run()
        let report = cluster.world.failure.map { "\(kind), seed \(seed): \($0)\n\(cluster.world.trace.lastSteps)" }
        return (report, cluster.world.trace.digest)
    }

    /// The seeds to run: `SEEDS` of them from `SEED` on.
    private static let seeds: Range<UInt64> = {
        let environment = ProcessInfo.processInfo.environment
        let start = environment["SEED"].flatMap { UInt64($0) } ?? 1
        return start..<start + (environment["SEEDS"].flatMap { UInt64($0) } ?? 20)
    }()

    /// Runs every second seed, so that two processors have work.
    private static func run(_ kind: Cluster.Kind, part: UInt64) {
        for seed in seeds where seed % 2 == part {
            if let report = failure(kind, seed).report { Issue.record("\(report)") }
        }
    }

    @Test(arguments: 0..<2 as Range<UInt64>)
    func `whatever goes wrong with etcd, nothing is lost, nothing comes back, and all nodes agree in the end`(
        part: UInt64
    ) {
        Self.run(.etcd, part: part)
    }

    @Test(arguments: 0..<2 as Range<UInt64>)
    func `whatever goes wrong with the disk, nothing is lost and nothing comes back`(part: UInt64) {
        Self.run(.sqlite, part: part)
    }

    @Test(arguments: Cluster.Kind.allCases) func `a seed is the same every time`(kind: Cluster.Kind) {
        for seed in 1...5 as ClosedRange<UInt64> {
            #expect(Self.failure(kind, seed).digest == Self.failure(kind, seed).digest, "seed \(seed)")
        }
    }

    @Test(arguments: Sabotage.all)
    func `a fault put in on purpose is found`(_ sabotage: Sabotage, _ kind: Cluster.Kind) throws {
        let found = (1...1000 as ClosedRange<UInt64>).first { seed in
            // The fault alone is found: without it the same seed passes.
            Self.failure(kind, seed, sabotage).report != nil && Self.failure(kind, seed).report == nil
        }
        let seed = try #require(found)
        let problem = Self.failure(kind, seed, sabotage).report?.split(separator: "\n").first ?? ""
        print("\(sabotage) is found: \(problem)")
    }
}
