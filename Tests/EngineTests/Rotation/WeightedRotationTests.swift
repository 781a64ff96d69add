import Testing

@testable import Engine

struct WeightedRotationTests {
    /// Smooth weighted round robin as nginx describes it, written a second time.
    private struct Reference {
        let weights: [Int]
        var gains: [Int]

        init(_ weights: [UInt32]) {
            self.weights = weights.allSatisfy { $0 == 0 } ? weights.map { _ in 1 } : weights.map(Int.init)
            gains = weights.map { _ in 0 }
        }

        mutating func next() -> Int {
            for index in weights.indices { gains[index] += weights[index] }
            let best = weights.indices.filter { weights[$0] > 0 }.max { (gains[$0], -$0) < (gains[$1], -$1) } ?? 0
            gains[best] -= weights.reduce(0, +)
            return best
        }
    }

    private func makeServer(_ weights: [UInt32]) throws -> TestServer {
        try TestServer(
            ["web": .records([.a(weights.count, weights: weights)])], .test(strategy: .weighted))
    }

    private func first(_ server: TestServer, _ name: String = "web", overTCP: Bool = false) throws -> Int {
        try #require(try server.ask(name, .a, overTCP: overTCP).addresses.first?.lastOctet)
    }

    @Test(arguments: [
        [1, 1], [5, 1, 1], [3, 2], [100, 200, 300], [1, 0, 2], [0, 0, 0], [0, 7], [1, 2, 3, 4, 5], [65535, 1, 65535],
        [1, 1, 1, 1, 1, 1, 1, 13],
    ])
    func `first places follow the weights exactly over one period, and smoothly`(_ weights: [UInt32]) throws {
        let server = try makeServer(weights)
        var reference = Reference(weights)
        let divisor = weights.reduce(UInt32(0)) { first, second in
            var (a, b) = (first, second)
            while b != 0 { (a, b) = (b, a % b) }
            return a
        }
        let shares = weights.map { divisor == 0 ? 1 : Int($0 / divisor) }
        let period = shares.reduce(0, +)
        for _ in 0..<2 {
            var counts = weights.map { _ in 0 }
            for _ in 0..<min(period, 3000) {
                let place = try first(server)
                #expect(place == reference.next())
                counts[place] += 1
            }
            if period <= 3000 { #expect(counts == shares) }
        }
    }

    @Test func `a weight of 0 never comes first unless all are 0`() throws {
        let server = try makeServer([0, 1, 0, 3])
        for _ in 0..<40 { #expect([1, 3].contains(try first(server))) }
        let zeros = try makeServer([0, 0])
        #expect(try (0..<4).map { _ in try first(zeros) } == [0, 1, 0, 1])
    }

    @Test func `the rotation survives changes of other names, and its own publication`() throws {
        let weights: [UInt32] = [5, 3, 1]
        let server = try makeServer(weights)
        var reference = Reference(weights)
        for step in 0..<90 {
            #expect(try first(server, overTCP: step % 3 == 0) == reference.next())
            try server.publish(["other\(step % 7)": .records([.a(step % 4 + 1, weights: [1, 2, 3, 4])])])
            _ = try server.ask("other\(step % 7)")
            try server.publish(["other\((step + 3) % 7)": .absent])
            try server.publish(["web": .records([.a(3, weights: weights), .aaaa(step % 2 + 1)])])
        }
    }

    @Test func `new weights begin a new period`() throws {
        let server = try makeServer([5, 3, 1])
        for weights: [UInt32] in [[1, 1, 4], [2, 2, 2, 1], [9, 1]] {
            _ = try first(server)
            try server.publish(["web": .records([.a(weights.count, weights: weights)])])
            var reference = Reference(weights)
            for _ in 0..<30 { #expect(try first(server) == reference.next()) }
        }
    }

    @Test func `cells of a name that went don't disturb the one that has them next`() throws {
        let server = try TestServer(.test(strategy: .weighted))
        let weights: [UInt32] = [4, 2, 1]
        for round in 0..<10 {
            try server.publish(["name\(round)": .records([.a(3, weights: weights)])])
            var reference = Reference(weights)
            for _ in 0..<(round + 1) { #expect(try first(server, "name\(round)") == reference.next()) }
            try server.publish(["name\(round)": .absent])
        }
    }

    @Test func `SRV answers follow the records' weights too, and stay whole`() throws {
        let weights: [UInt32] = [3, 1]
        let records = weights.enumerated().map { index, weight in
            let port = UInt16(index + 1)
            return Record(
                .service(priority: 0, weight: UInt16(weight), port: port, target: .ten(index)), weight: weight)
        }
        let server = try TestServer(
            ["web": .records([RRset(type: .srv, ttl: 5, records: records)])], .test(strategy: .weighted))
        let ports = try (0..<8).map { _ in
            let reply = try server.ask("web", .srv)
            #expect(reply.services.count == 2 && reply.additional.count == 2)
            return try #require(reply.services.first?.port)
        }
        #expect(ports == [1, 1, 2, 1, 1, 1, 2, 1])
    }
}

struct RandomRotationTests {
    @Test func `each record comes first about as often, and answers are whole`() throws {
        let count = 8
        let server = try TestServer(["web": .records([.a(count)])], .test(strategy: .random))
        var counts = [Int](repeating: 0, count: count)
        let answers = 8000
        for _ in 0..<answers {
            let addresses = try server.ask("web").addresses
            let first = try #require(addresses.first?.lastOctet)
            counts[first] += 1
            #expect(addresses == (0..<count).map { IPAddress.ten((first + $0) % count) })
        }
        // Chi-square with 7 degrees of freedom exceeds 60 by chance once in ten billion runs.
        let expected = Double(answers) / Double(count)
        let chiSquare = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        #expect(chiSquare < 60, "\(counts)")
        // The order is not fixed either: exactly 1,000 each would be suspicious too.
        #expect(Set(counts).count > 1)
    }
}
