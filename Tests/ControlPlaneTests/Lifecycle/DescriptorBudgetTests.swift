import Testing

@testable import ControlPlane

/// How file descriptors are divided.
@Suite struct DescriptorBudgetTests {
    private func make(
        _ limit: Int, cores: Int = 2, _ change: (inout Configuration) -> Void = { _ in }
    ) throws -> DescriptorBudget {
        var configuration = Configuration()
        change(&configuration)
        return try DescriptorBudget(configuration, limit: limit, coreCount: cores)
    }

    @Test func `what fits is as it was configured`() throws {
        let budget = try make(20_000)
        #expect(budget.restConnections == 4096 && budget.tcpConnections == 4096)
        #expect(budget.upstreamSocketsPerWorker == 512 && budget.checks == 1000)
        #expect(budget.shortages.isEmpty)
    }

    @Test func `what does not fit is lowered, each in proportion, and named`() throws {
        let budget = try make(1024)
        #expect((150...400).contains(budget.restConnections) && budget.restConnections == budget.tcpConnections)
        #expect(
            budget.restConnections + budget.tcpConnections + budget.checks + 2 * budget.upstreamSocketsPerWorker
                < 1024 - 128)
        #expect(
            budget.shortages.map(\.key) == [
                "server.max_connections", "dns.tcp.max_connections", "sockets to upstreams of a worker",
                "checks.max_concurrent",
            ])
        #expect(budget.shortages.first?.wanted == 4096)
        #expect(budget.shortages.first?.granted == budget.restConnections)
    }

    @Test(arguments: [600, 700, 1000, 1024, 2048, 4096, 8192, 9000, 10_000, 65_536], [1, 2, 4])
    func `the shares never exceed the limit, and a larger limit is no worse`(limit: Int, workers: Int) throws {
        let smaller = try make(limit, cores: workers)
        let larger = try make(limit + 100, cores: workers)
        let sum =
            smaller.restConnections + smaller.tcpConnections + smaller.checks
            + workers * smaller.upstreamSocketsPerWorker
        #expect(sum + 128 < limit)
        #expect(smaller.restConnections >= 16 && smaller.tcpConnections >= 16 && smaller.upstreamSocketsPerWorker >= 16)
        #expect(larger.restConnections >= smaller.restConnections)
    }

    @Test(arguments: [1, 2, 4]) func `what the process needs for itself is taken by no share`(workers: Int) throws {
        func own(_ limit: Int) throws -> Int {
            let budget = try make(limit, cores: workers)
            let shares =
                budget.restConnections + budget.tcpConnections + budget.checks
                + workers * budget.upstreamSocketsPerWorker
            return limit - shares
        }
        // At the lowest limit without shortages, it is what is left.
        let whole = try #require(try (8192...20_000).first { try make($0, cores: workers).shortages.isEmpty })
        let needed = try own(whole)
        #expect(try (600..<whole).first { try own($0) < needed } == nil)
    }

    @Test func `a small configuration is left alone by a small limit`() throws {
        let budget = try make(3000) {
            $0.server.maximumConnections = 10
            $0.dns.tcp.maximumConnections = 10
        }
        #expect(budget.restConnections == 10 && budget.tcpConnections == 10 && budget.shortages.isEmpty)
    }

    @Test func `too few to work with are said to be`() {
        let error = #expect(throws: StartError.self) { try make(64) }
        #expect(error?.description.contains("64 file descriptors are too few, at least ") == true)
    }
}
