import Testing

extension ServerTests {
    /// What the README tells newcomers to try.
    @Suite struct StoryTests {
        @Test(arguments: [[], ["+tcp"]])
        func `three registered instances rotate in kdig's answers and one that leaves is gone in the next`(
            options: [String]
        ) async throws {
            try await withServer(["dns.workers": "1"]) { server in
                let dns = server.dns[0]
                func ask(_ type: String) throws -> Kdig.Reply {
                    try Kdig.ask(dns, "orders.service.kong", type, options.first ?? "+notcp")
                }
                #expect(try ask("A").status == "NXDOMAIN")

                let rest = try HTTPConnection(server.rest)
                let instances = try (1...3).map {
                    try rest.register(Registration("orders", "10.0.0.\($0)", port: 8080))
                }
                let addresses = instances.map(\.ip)
                let firsts = try (0..<6).map { _ in
                    let reply = try ask("A")
                    #expect(reply.status == "NOERROR")
                    #expect(Set(reply.answers) == Set(addresses))
                    #expect(reply.answers.count == 3)
                    return reply.answers.first
                }
                #expect(Array(firsts.prefix(3)) == addresses)
                #expect(firsts.prefix(3) == firsts.suffix(3))

                let targets = (1...3).map { "0 1 8080 0a00000\($0).addr.service.kong." }
                var firstTargets: Set<String> = []
                for _ in 0..<3 {
                    let reply = try ask("SRV")
                    #expect(Set(reply.answers) == Set(targets))
                    #expect(Set(reply.additional) == Set(addresses))
                    firstTargets.formUnion(reply.answers.prefix(1))
                }
                #expect(firstTargets == Set(targets))

                try rest.deregister(instances[0].id)
                #expect(Set(try ask("A").answers) == ["10.0.0.2", "10.0.0.3"])
                #expect(Set(try ask("SRV").answers) == Set(targets.dropFirst()))
                try rest.deregister(instances[1].id)
                try rest.deregister(instances[2].id)
                #expect(try ask("A").status == "NXDOMAIN")
            }
        }

        @Test func `registering the same again answers 200 with the same id`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let body = #"{"name":"orders","ip":"10.0.0.1","port":80}"#
                let first = try rest.request("POST", "/api/v1/services", body)
                let second = try rest.request("POST", "/api/v1/services", body)
                #expect(first.status == 201)
                #expect(second.status == 200)
                let id = try first.decoded(as: Instance.self).id
                #expect(try second.decoded(as: Instance.self).id == id)
                #expect(first.fields["location"] == "/api/v1/services/\(id)")
                #expect(try rest.request("GET", "/api/v1/services/\(id)").decoded(as: Instance.self).ttl == 30)
                #expect(try server.ask("orders.service.kong").texts == ["10.0.0.1"])
            }
        }

        @Test func `a started server says that it is ready and alive`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                for path in [
                    "/ready", "/healthz", "/api/v1/health", "/api/v1/status", "/api/v1/names", "/openapi.yaml",
                ] {
                    #expect(try rest.request("GET", path).status == 200)
                }
            }
        }
    }
}
