import Testing

extension ServerTests {
    /// Thousands of requests that are nearly right. Whatever they are, the answer is never 5xx.
    @Suite struct MutatedRequestTests {
        private static let path = "/api/v1/services"

        @Test func `mutated bodies by the thousand are never 5xx`() async throws {
            let seeds = [
                Seed("POST", Self.path, #"{"id":"a","name":"orders","ip":"10.0.0.1","port":80,"tags":["blue"]}"#),
                Seed(
                    "POST", Self.path,
                    #"{"name":"x","ip":"::1","port":1,"metadata":{"k":"v\u00e9\n"},"weight":10,"ttl":9}"#),
                Seed(
                    "POST", Self.path,
                    #"{"name":"z","ip":"10.0.0.2","port":1,"protocol":"udp","priority":1,"dns_ttl":60}"#),
                Seed(
                    "PATCH", "\(Self.path)/a", #"{"weight":10,"priority":1,"tags":[],"metadata":{},"draining":false}"#),
                Seed(
                    "POST",
                    "\(Self.path)/batch",
                    #"{"register":[{"name":"y","ip":"10.0.0.9","port":9}],"deregister":["b"]}"#
                ),
                Seed("POST", "/api/v1/heartbeats", #"{"ids":["a","b"]}"#),
            ]
            try await withServer { server in
                var random = SeededGenerator(seed: 3)
                var connection = try HTTPConnection(server.rest)
                var statuses: [Int: Int] = [:]
                for _ in 0..<4000 {
                    let seed = seeds[Int.random(in: 0..<seeds.count, using: &random)]
                    let body = seed.mutatedBody(&random)
                    try connection.send(seed.method, seed.path, body)
                    let response = try connection.receive()
                    statuses[response.status, default: 0] += 1
                    let sent = "\(seed.path): \(String(decoding: body, as: UTF8.self))"
                    try #require(response.status < 500, "\(sent): \(response.text)")
                    if response.fields["connection"] == "close" { connection = try HTTPConnection(server.rest) }
                }
                // Every kind of answer occurred.
                #expect(Set(statuses.keys) == [200, 201, 400, 404, 422])
                #expect([200, 400, 422].allSatisfy { statuses[$0, default: 0] > 100 }, "\(statuses)")
                for name in ["orders", "x", "y", "z"] { _ = try server.ask("\(name).service.kong", .srv) }
                try server.expectWell()
            }
        }

        /// A valid request.
        private struct Seed {
            let method: String
            let path: String
            private let body: [UInt8]
            /// The places of its values.
            private let values: [Range<Int>]

            private static let splices = [
                "null", "true", "-1", "0", "1e400", "65536", "18446744073709551616", "-0.0", "\"\"", "[]", "{}",
                "[[[[[[",
                "\\u0000", "\\ud83d", "\"\\", ",", ":", "\u{0}", "\u{202e}", "🦀", "..", "ns", "addr", "255.255.255.255",
                "::ffff:1.2.3.4", String(repeating: "a", count: 300), String(repeating: "9", count: 400),
            ]

            init(_ method: String, _ path: String, _ body: String) {
                self.method = method
                self.path = path
                self.body = Array(body.utf8)
                values = body.matches(of: /"[^"]*"|-?[0-9][0-9e.]*|\[[^\]]*\]|\{\}|true|false/).map { match in
                    body.utf8.distance(
                        from: body.startIndex, to: match.range.lowerBound)..<body.utf8.distance(
                            from: body.startIndex,
                            to: match.range.upperBound
                        )
                }
            }

            /// The body with a value replaced, or with octets changed, removed, doubled or inserted.
            func mutatedBody(_ random: inout SeededGenerator) -> [UInt8] {
                var body = body
                if Bool.random(using: &random), let value = values.randomElement(using: &random) {
                    let splice = splice(&random)
                    body.replaceSubrange(value, with: Bool.random(using: &random) ? [0x22] + splice + [0x22] : splice)
                    return body
                }
                for _ in 0...Int.random(in: 0...2, using: &random) {
                    let place = Int.random(in: 0..<max(body.count, 1), using: &random)
                    let end = min(body.count, place + Int.random(in: 0...8, using: &random))
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: body.replaceSubrange(place..<end, with: random.octets(end - place))
                    case 1: body.removeSubrange(place..<end)
                    case 2: body.insert(contentsOf: body[place..<end], at: place)
                    default: body.replaceSubrange(place..<end, with: splice(&random))
                    }
                }
                return body
            }

            private func splice(_ random: inout SeededGenerator) -> [UInt8] {
                Array((Self.splices.randomElement(using: &random) ?? "").utf8)
            }
        }

        @Test func `mutated heads by the hundred are never 5xx and never stall`() async throws {
            let json = "Content-Type: application/json\r\nContent-Length: 2"
            let chunked = "Connection: keep-alive\r\nTransfer-Encoding: chunked"
            let seeds = [
                "GET \(Self.path)?limit=10&name=orders HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
                "POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\n\(json)\r\n\r\n{}",
                "DELETE \(Self.path)/a%20b HTTP/1.0\r\n\(chunked)\r\n\r\n0\r\n\r\n",
            ]
            try await withServer { server in
                var random = SeededGenerator(seed: 4)
                var statuses: [Int: Int] = [:]
                for turn in 0..<900 {
                    var head = Array(seeds[turn % seeds.count].utf8)
                    for _ in 0...Int.random(in: 0...2, using: &random) {
                        let place = Int.random(in: 0..<head.count, using: &random)
                        head[place] = .random(in: 0...255, using: &random)
                        if Bool.random(using: &random) { head.removeSubrange(place..<min(head.count, place + 4)) }
                    }
                    let connection = try HTTPConnection(server.rest)
                    do {
                        try connection.socket.send(head)
                        connection.socket.shutdownSending()
                        let response = try connection.receive(isHead: true)
                        try #require(response.status < 500, "\(String(decoding: head, as: UTF8.self)): \(response)")
                        statuses[response.status, default: 0] += 1
                    } catch is HTTPConnection.Failure {
                        // It was closed without an answer.
                    } catch let error as SocketError where !error.isTimeout {
                        // It was reset.
                    }
                }
                #expect(Set(statuses.keys).isSuperset(of: [200, 400, 404, 415, 422]), "\(statuses)")
                try server.expectWell()
            }
        }
    }
}
