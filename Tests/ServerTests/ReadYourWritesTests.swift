import Testing

extension ServerTests {
    /// A 200, 201 or 204 means that every DNS worker answers with the change.
    @Suite struct ReadYourWritesTests {
        private static let workers = ["dns.workers": "4"]

        @Test func `what is acknowledged is in every next answer, for 8 clients at once`() async throws {
            try await withServer(Self.workers) { server in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for client in 1...8 {
                        group.addTask {
                            let rest = try HTTPConnection(server.rest)
                            for round in 1...50 { try Self.round(round, of: client, server, rest) }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }

        /// The life of one instance, checked after every step. Two clients share a service.
        private static func round(
            _ round: Int,
            of client: Int,
            _ server: ServerProcess,
            _ rest: HTTPConnection
        ) throws {
            let service = "service-\(client / 2)"
            let ip = "10.\(client).0.\(round)"
            func expect(_ isThere: Bool, _ step: String) throws {
                for answer in try server.addresses(service) {
                    try #require(answer.contains(ip) == isThere, "client \(client), round \(round): \(step)")
                }
                let targets = try server.ask("\(service).service.kong", .srv, payload: 4096).texts
                let target = targets.first { $0.contains(hex(client, round)) }
                try #require((target != nil) == isThere, "client \(client), round \(round): SRV, \(step)")
            }
            func hex(_ client: Int, _ round: Int) -> String {
                let octets = [10, client, 0, round]
                return octets.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            }
            let id = try rest.register(Registration(service, ip)).id
            try expect(true, "registered")
            try rest.patch(id, #"{"draining":true}"#)
            try expect(false, "draining")
            try rest.patch(id, #"{"draining":false}"#)
            try expect(true, "not draining any longer")
            try rest.deregister(id)
            try expect(false, "deregistered")
        }

        @Test func `a batch of 1,000 is in the next answers and another takes it out`() async throws {
            try await withServer(Self.workers) { server in
                let rest = try HTTPConnection(server.rest)
                let many = (0..<1000).map { Registration("s\($0)", "10.1.\($0 / 256).\($0 % 256)", tags: ["all"]) }
                let one = (0..<1000).map { Registration("one", "10.2.\($0 / 256).\($0 % 256)") }
                #expect(try rest.batch(register: many).map(\.status) == Array(repeating: 201, count: 1000))
                for registration in many {
                    let reply = try server.ask("\(registration.name).service.kong")
                    try #require(reply.texts == [registration.ip])
                }
                #expect(try rest.batch(register: one).map(\.status) == Array(repeating: 201, count: 1000))
                for _ in 0..<8 {
                    let reply = try server.ask("one.service.kong", over: .tcp)
                    #expect(Set(reply.texts) == Set(one.map(\.ip)))
                    #expect(reply.texts.count == 1000)
                }
                let ids = try rest.batch(register: many + one).map { try #require($0.id) }
                #expect(Set(ids).count == 2000)
                #expect(try rest.batch(deregister: ids).allSatisfy { $0.status == 204 })
                for registration in many {
                    try #require(try server.ask("\(registration.name).service.kong").code == .nameError)
                }
                #expect(try server.ask("one.service.kong", over: .tcp).code == .nameError)
                #expect(try rest.batch(deregister: [ids[0]]).map(\.status) == [404])
            }
        }

        @Test func `a bad item of a batch hurts no other`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let results = try rest.batch(
                    register: [
                        Registration("good", "10.0.0.1"), Registration("bad name", "10.0.0", port: 0),
                        Registration("fine", "10.0.0.2"),
                    ],
                    deregister: ["unknown"]
                )
                #expect(results.map(\.status) == [201, 422, 201, 404])
                #expect(Set(results[1].errors?.map(\.field) ?? []) == ["name", "ip", "port"])
                #expect(try server.ask("good.service.kong").texts == ["10.0.0.1"])
                #expect(try server.ask("fine.service.kong").texts == ["10.0.0.2"])
            }
        }

        @Test func `replacing an instance moves it in the next answer`() async throws {
            try await withServer(Self.workers) { server in
                let rest = try HTTPConnection(server.rest)
                for round in 1...100 {
                    try rest.register(Registration("s\(round % 3)", "10.0.0.\(round)", id: "mover"))
                    #expect(try server.addresses("s\(round % 3)") == [["10.0.0.\(round)"]])
                    #expect(try server.ask("s\((round + 2) % 3).service.kong").code == .nameError)
                }
            }
        }
    }
}
