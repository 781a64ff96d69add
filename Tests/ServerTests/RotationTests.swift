import Testing

extension ServerTests {
    /// Which record comes first.
    @Suite struct RotationTests {
        @Test func `each of n instances is first in every run of n answers, whatever else happens`() async throws {
            try await withServer(["dns.workers": "1"]) { server in
                let rest = try HTTPConnection(server.rest)
                let counts = ["three": 3, "four": 4, "seven": 7]
                for (name, count) in counts {
                    for host in 1...count { try rest.register(Registration(name, "10.0.\(count).\(host)")) }
                }
                // This is more than fits into 512 octets: UDP answers are truncated, and do not count.
                for host in 1...60 { try rest.register(Registration("big", "10.1.0.\(host)")) }

                async let changes: Void = Self.change(server.rest, times: 150)
                let udp = try DNSClient(server.dns[0])
                let tcp = try DNSClient(server.dns[0], .tcp)
                var firsts: [String: [String]] = [:]
                var random = SeededGenerator(seed: 7)
                for _ in 0..<1500 {
                    let name = ["three", "four", "seven", "big"].randomElement(using: &random) ?? "big"
                    let type: RecordType = Bool.random(using: &random) ? .a : .srv
                    let client = Bool.random(using: &random) ? udp : tcp
                    let reply = try client.ask("\(name).service.kong", type)
                    if reply.isTruncated { continue }
                    #expect(reply.answers.count == counts[name] ?? 60)
                    firsts["\(name) \(type)", default: []].append(reply.texts.first ?? "")
                }
                try await changes
                #expect(firsts.count == 8)
                for (key, firsts) in firsts {
                    let count = counts[key.split(separator: " ").first.map(String.init) ?? ""] ?? 60
                    for start in 0..<max(1, firsts.count - count) {
                        let run = firsts[start..<min(start + count, firsts.count)]
                        try #require(Set(run).count == run.count, "\(key) after \(start) answers: \(run)")
                    }
                }
            }
        }

        /// Registers, changes and deregisters other services.
        private static func change(_ endpoint: Endpoint, times: Int) async throws {
            let rest = try HTTPConnection(endpoint)
            for time in 0..<times {
                let id = try rest.register(Registration("other-\(time % 5)", "10.9.0.\(time % 250 + 1)")).id
                try rest.patch(id, #"{"weight":7}"#)
                try rest.deregister(id)
            }
        }

        @Test func `weighted follows the weights exactly in every period`() async throws {
            try await withServer(["dns.workers": "1", "dns.strategy": "weighted"]) { server in
                let rest = try HTTPConnection(server.rest)
                let weights = ["10.0.0.1": 50, "10.0.0.2": 20, "10.0.0.3": 10, "10.0.0.4": 0]
                for (ip, weight) in weights { try rest.register(Registration("orders", ip, weight: weight)) }
                // Two instances share an address, so their weights add up for A.
                try rest.register(Registration("orders", "10.0.0.3", port: 81, weight: 10))

                func firsts(_ type: RecordType, _ count: Int) throws -> [String: Int] {
                    try (0..<count).reduce(into: [:]) { counts, turn in
                        let reply = try server.ask("orders.service.kong", type, over: turn % 2 == 0 ? .udp : .tcp)
                        counts[reply.texts.first ?? "", default: 0] += 1
                    }
                }
                for _ in 0..<4 {
                    #expect(try firsts(.a, 9) == ["10.0.0.1": 5, "10.0.0.2": 2, "10.0.0.3": 2])
                    #expect(
                        try firsts(.srv, 9) == [
                            "0 5 80 0a000001.addr.service.kong": 5, "0 2 80 0a000002.addr.service.kong": 2,
                            "0 1 80 0a000003.addr.service.kong": 1, "0 1 81 0a000003.addr.service.kong": 1,
                        ]
                    )
                }
            }
        }

        @Test func `random puts each instance first about equally often`() async throws {
            try await withServer(["dns.workers": "1", "dns.strategy": "random"]) { server in
                let rest = try HTTPConnection(server.rest)
                for host in 1...4 { try rest.register(Registration("orders", "10.0.0.\(host)")) }
                let client = try DNSClient(server.dns[0])
                let firsts = try (0..<2000).map { _ in try client.ask("orders.service.kong").texts.first ?? "" }
                let counts = Dictionary(firsts.map { ($0, 1) }, uniquingKeysWith: +)
                // 500 each are expected. The standard deviation is 19, so one run in a million is off by more than 100.
                #expect(counts.count == 4)
                #expect(counts.values.allSatisfy { abs($0 - 500) < 100 }, "\(counts)")
                let isRoundRobin = (4..<firsts.count).allSatisfy { firsts[$0] == firsts[$0 - 4] }
                #expect(!isRoundRobin)
            }
        }
    }
}
