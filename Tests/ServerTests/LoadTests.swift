import Testing

extension ServerTests {
    /// Many clients at once.
    @Suite struct LoadTests {
        @Test func `no answer is wrong or missing while 16 connections register and deregister`() async throws {
            try await withServer(["dns.workers": "2"]) { server in
                let rest = try HTTPConnection(server.rest)
                // One service never changes, and in another one two instances never do.
                let steady: Set = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
                let always: Set = ["10.0.1.1", "10.0.1.2"]
                for ip in steady { try rest.register(Registration("steady", ip)) }
                for ip in always { try rest.register(Registration("mixed", ip)) }
                let working = Countdown(16)

                try await withThrowingTaskGroup(of: Int.self) { group in
                    for client in 0..<16 {
                        group.addTask {
                            defer { working.step() }
                            try Self.work(client, server.rest)
                            return 0
                        }
                    }
                    for transport in [ClientSocket.Transport.udp, .udp, .tcp] {
                        group.addTask {
                            var asked = 0
                            let kept = try DNSClient(server.dns[0], transport)
                            while !working.isOver {
                                // The queries use the same socket and a new one in turn. Another worker may have the
                                // new one.
                                let client = asked % 2 == 0 ? kept : try DNSClient(server.dns[0], transport)
                                let answer = try client.ask("steady.service.kong")
                                try #require(Set(answer.texts) == steady && answer.answers.count == 3)
                                let mixed = try client.ask("mixed.service.kong")
                                let texts = Set(mixed.texts)
                                try #require(mixed.code == .noError && texts.isSuperset(of: always))
                                try #require(texts.subtracting(always).allSatisfy { $0.hasPrefix("10.2.") })
                                let targets = try client.ask("steady.service.kong", .srv).texts
                                try #require(Set(targets).count == 3 && targets.allSatisfy { $0.hasPrefix("0 1 80 ") })
                                asked += 1
                            }
                            return asked
                        }
                    }
                    let asked = try await group.reduce(0, +)
                    #expect(asked > 30)
                }
                // Everything that was registered was deregistered.
                #expect(Set(try server.ask("mixed.service.kong").texts) == always)
                #expect(try rest.request("GET", "/api/v1/status").text.contains(#""instances":{"total":5,"#))
            }
        }

        private static func work(_ client: Int, _ endpoint: Endpoint) throws {
            let rest = try HTTPConnection(endpoint)
            for round in 1...20 {
                let ids = try (1...3).map { host in
                    try rest.register(Registration("mixed", "10.2.\(client).\(host)", port: 1000 + round)).id
                }
                try rest.register(
                    Registration("own-\(client)", "10.3.0.\(client + 1)", id: "own-\(client)", weight: round))
                for id in ids { try rest.deregister(id) }
            }
            try rest.deregister("own-\(client)")
        }

        @Test func `the list shows what exists throughout once, however much changes meanwhile`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let steady = (1...200).map { Registration("steady", "10.0.0.\($0)", id: "steady-\($0)") }
                _ = try rest.batch(register: steady)
                let listing = Countdown()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        let other = try HTTPConnection(server.rest)
                        while !listing.isOver {
                            try other.deregister(try other.register(Registration("passing", "10.1.0.1")).id)
                        }
                    }
                    for _ in 0..<10 {
                        struct Page: Decodable {
                            var services: [Instance]
                            var next: String?
                            enum CodingKeys: String, CodingKey {
                                case services
                                case next = "next_cursor"
                            }
                        }
                        var ids: [String] = []
                        var cursor = ""
                        repeat {
                            let place = cursor.isEmpty ? "" : "&cursor=\(cursor)"
                            let response = try rest.request("GET", "/api/v1/services?limit=7\(place)")
                            let page = try response.decoded(as: Page.self)
                            ids += page.services.map(\.id).filter { $0.hasPrefix("steady") }
                            cursor = page.next ?? ""
                        } while !cursor.isEmpty
                        #expect(ids.count == 200 && Set(ids).count == 200)
                    }
                    listing.step()
                    try await group.waitForAll()
                }
            }
        }
    }
}
