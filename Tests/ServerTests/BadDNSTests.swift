import Testing

extension ServerTests {
    /// Packets that no client should send.
    @Suite struct BadDNSTests {
        /// Runs a server with something to answer, and checks that it still answers.
        private func withAnsweringServer(
            _ settings: [String: String] = [:],
            _ body: (ServerProcess) async throws -> Void
        ) async throws {
            let settings = settings.merging(["dns.workers": "2"], uniquingKeysWith: { old, _ in old })
            try await withServer(settings) { server in
                try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1"))
                try await body(server)
                for transport in ClientSocket.Transport.allCases {
                    for _ in 0..<8 {
                        let start = ContinuousClock.now
                        #expect(try server.ask("orders.service.kong", over: transport).texts == ["10.0.0.1"])
                        #expect(start.duration(to: .now) < .seconds(1))
                    }
                }
            }
        }

        /// Random octets, or a query with some wrong octets.
        private func badMessage(_ random: inout SeededGenerator) -> [UInt8] {
            if Int.random(in: 0..<4, using: &random) == 0 {
                return random.octets(Int.random(in: 0...600, using: &random))
            }
            let payload: UInt16? = Bool.random(using: &random) ? .random(in: 0...65_535, using: &random) : nil
            var message = DNSMessage.query("blue.orders.service.kong", .srv, payload: payload)
            for _ in 0...Int.random(in: 0...4, using: &random) {
                message[Int.random(in: 0..<message.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { message += random.octets(Int.random(in: 0...20, using: &random)) }
            return Bool.random(using: &random) ? message : Array(message.prefix(.random(in: 0...80, using: &random)))
        }

        @Test func `thousands of bad packets get well-formed replies or none, and others get theirs at once`()
            async throws
        {
            try await withAnsweringServer { server in
                var random = SeededGenerator(seed: 1)
                let clients = try (0..<4).map { _ in try DNSClient(server.dns[0]) }
                var replies = 0
                for turn in 0..<6000 {
                    let client = clients[turn % clients.count]
                    let message = badMessage(&random)
                    try client.send(message)
                    while client.socket.isReadable() {
                        let reply = try client.receive()
                        #expect(reply.isResponse)
                        replies += 1
                    }
                    if turn % 100 == 0 {
                        #expect(try server.ask("orders.service.kong").texts == ["10.0.0.1"])
                    }
                }
                #expect(replies > 1000)
            }
        }

        @Test func `bad streams over TCP end or are answered, and others get theirs at once`() async throws {
            try await withAnsweringServer { server in
                var random = SeededGenerator(seed: 2)
                for turn in 0..<300 {
                    let client = try DNSClient(server.dns[0], .tcp)
                    do {
                        switch turn % 3 {
                        case 0: try client.socket.send(random.octets(.random(in: 1...2000, using: &random)))
                        case 1: for _ in 0..<10 { try client.send(badMessage(&random)) }
                        default:
                            // The length does not fit what follows.
                            let message = DNSMessage.query("orders.service.kong", .a)
                            try client.socket.send(UInt16.random(in: 0...100, using: &random).octets + message)
                        }
                        client.socket.shutdownSending()
                        try client.socket.waitForEnd()
                    } catch let error as SocketError where !error.isTimeout {
                        // The server may close as soon as it has seen enough.
                    }
                    if turn % 20 == 0 { #expect(try server.ask("orders.service.kong", over: .tcp).answers.count == 1) }
                }
            }
        }

        @Test func `200 clients that sent half a query hold up nobody`() async throws {
            try await withAnsweringServer(["dns.tcp.max_per_client": "1000"]) { server in
                let halves = try (0..<200).map { _ in try DNSClient(server.dns[0], .tcp) }
                let query = DNSMessage.query("orders.service.kong", .a)
                let framed = UInt16(query.count).octets + query
                for (index, client) in halves.enumerated() { try client.socket.send(framed.prefix(1 + index % 20)) }
                for _ in 0..<20 {
                    for transport in ClientSocket.Transport.allCases {
                        #expect(try server.ask("orders.service.kong", over: transport).texts == ["10.0.0.1"])
                    }
                }
                // They get their answers when the other half arrives.
                for (index, client) in halves.enumerated() {
                    try client.socket.send(framed.dropFirst(1 + index % 20))
                    #expect(try client.receive().texts == ["10.0.0.1"])
                }
            }
        }

        @Test func `what is malformed, unknown or not for us gets the right code`() async throws {
            try await withAnsweringServer { server in
                let client = try DNSClient(server.dns[0])
                let query = DNSMessage.query("orders.service.kong", .a, id: 77)
                func reply(_ change: (inout [UInt8]) -> Void) throws -> DNSMessage {
                    var message = query
                    change(&message)
                    try client.send(message)
                    let reply = try client.receive()
                    #expect(reply.id == 77 && reply.isResponse)
                    return reply
                }
                #expect(try reply { $0[2] |= 0x28 }.code == .notImplemented)
                #expect(try reply { $0[5] = 2 }.code == .formatError)
                #expect(try reply { $0[5] = 0 }.code == .formatError)
                #expect(try reply { $0.removeLast(2) }.code == .formatError)
                #expect(try reply { $0[$0.count - 1] = 4 }.code == .refused)
                // A transfer of what is no zone.
                #expect(try reply { $0[$0.count - 3] = 252 }.code == .notAuthoritative)
                // A response is dropped: two servers must never answer each other for ever.
                var response = query
                response[2] |= 0x80
                try client.send(response)
                try client.send(Array(query.prefix(11)))
                #expect(try client.ask("orders.service.kong").texts == ["10.0.0.1"])
            }
        }
    }
}
