import Testing

@testable import Engine

/// Names with strategies of their own, next to each other.
struct StrategyPerNameTests {
    private func firsts(_ server: TestServer, _ name: String, _ count: Int) throws -> [Int] {
        try (0..<count).map { _ in try #require(try server.ask(name).addresses.first?.lastOctet) }
    }

    @Test(arguments: RotationStrategyName.allCases)
    func `each name goes by its own strategy, whatever the server's is`(_ strategy: RotationStrategyName) throws {
        let server = try TestServer([:], .test(strategy: strategy))
        let content = NameContent.records([.a(3, weights: [4, 1, 0])])
        // In many shards, and several in one: some with weights, others without.
        for number in 0..<200 {
            for each in RotationStrategyName.allCases {
                try server.publish(["\(each.rawValue.prefix(2))\(number)": content], strategy: each)
            }
        }
        for number in stride(from: 0, to: 200, by: 7) {
            #expect(try firsts(server, "ra\(number)", 6).allSatisfy { (0..<3).contains($0) })
            let weighted = try firsts(server, "we\(number)", 10)
            #expect(weighted.filter { $0 == 0 }.count == 8 && weighted.filter { $0 == 1 }.count == 2)
        }
    }

    @Test func `a name that gets another strategy is answered by it from then on`() throws {
        let server = try TestServer([:])
        let content = NameContent.records([.a(3, weights: [3, 1, 0])])
        for _ in 0..<3 {
            try server.publish(["web": content], strategy: .weighted)
            #expect(try firsts(server, "web", 8).sorted() == [0, 0, 0, 0, 0, 0, 1, 1])
            try server.publish(["web": content], strategy: .roundRobin)
            let turns = try firsts(server, "web", 9)
            for start in 0...6 { #expect(Set(turns[start..<(start + 3)]) == [0, 1, 2]) }
            // Neighbours are published, and the name is copied with its shard.
            try server.publish(["other": content], strategy: .weighted)
            #expect(Set(try firsts(server, "web", 3)) == [0, 1, 2])
            try server.publish(["web": content])
            #expect(Set(try firsts(server, "web", 3)) == [0, 1, 2])
        }
    }

    private func change(isWhole: Bool, _ records: Range<UInt64>) -> NameContent {
        .changed([
            RRsetChange(
                type: .a, ttl: 5, isWhole: isWhole,
                records: records.map {
                    let address = RecordData.address(.ten(Int($0)))
                    return RecordChange(sequence: $0, record: Record(address, weight: $0 == 1 ? 3 : 1))
                })
        ])
    }

    @Test func `a list of records has weights when its strategy goes by them`() throws {
        let server = try TestServer([:])
        try server.publish(["big": change(isWhole: true, 0..<20)], strategy: .weighted)
        try server.publish(["other": .records([.a(2)])])
        #expect(try firsts(server, "big", 22).filter { $0 == 1 }.count == 3)
        try server.publish(["big": change(isWhole: false, 20..<22)], strategy: .weighted)
        #expect(try firsts(server, "big", 24).filter { $0 == 1 }.count == 3)
        // Only some records of another strategy would leave others without weights.
        #expect(throws: EngineError.self) {
            try server.publish(["big": change(isWhole: false, 22..<23)], strategy: .roundRobin)
        }
        try server.publish(["big": change(isWhole: true, 0..<20)], strategy: .roundRobin)
        #expect(Set(try firsts(server, "big", 20)).count == 20)
        #expect(throws: EngineError.self) {
            try server.publish(["big": change(isWhole: false, 22..<23)], strategy: .weighted)
        }
    }
}
