import Testing

extension ServerTests {
    /// What `GET /api/v1/queries` tells of those who ask.
    @Suite struct QueriesTests {
        private struct Queries: Decodable {
            struct Name: Decodable {
                var name: String
                var queries: Int
                var types: [String: Int]
            }
            struct Failure: Decodable {
                var time: String
                var name: String
                var type: String
                var client: String?
                var count: Int
            }
            var queries: Int
            var sampled: Int
            var names: [Name]
            var nxdomain: [Failure]
            var servfail: [Failure]
            var refused: [Failure]
        }

        @Test(arguments: [ClientSocket.Transport.udp, .tcp])
        func `the names asked most and the newest failures are shown with type, client and time`(
            transport: ClientSocket.Transport
        ) async throws {
            try await withServer(["dns.workers": "2", "dns.on_empty": "servfail"]) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("web", "10.0.0.1"))
                let down = try rest.register(Registration("down", "10.0.0.2"))
                try rest.patch(down.id, #"{"draining":true}"#)
                for _ in 0..<20 { _ = try server.ask("WEB.service.kong", over: transport) }
                for _ in 0..<10 { _ = try server.ask("web.service.kong", .srv, over: transport) }
                for _ in 0..<3 {
                    #expect(try server.ask("gone.service.kong", .aaaa, over: transport).code == .nameError)
                    #expect(try server.ask("down.service.kong", over: transport).code == .serverFailure)
                }
                #expect(try server.ask("db.example", over: transport).code == .refused)

                let queries = try rest.request("GET", "/api/v1/queries").decoded(as: Queries.self)
                let top = try #require(queries.names.first)
                #expect(top.name == "web.service.kong" && top.queries == 30 && top.types == ["A": 20, "SRV": 10])
                #expect(queries.queries == 37 && queries.sampled == 37)
                for (failures, name, type) in [
                    (queries.nxdomain, "gone.service.kong", "AAAA"), (queries.servfail, "down.service.kong", "A"),
                    (queries.refused, "db.example", "A"),
                ] {
                    #expect(failures.allSatisfy { $0.name == name && $0.type == type && $0.client == "127.0.0.1" })
                    // Each worker has a place of its own for them.
                    #expect(failures.reduce(0) { $0 + $1.count } == (name == "db.example" ? 1 : 3))
                    #expect(failures.allSatisfy { $0.time.hasSuffix("Z") })
                }
                let one = try rest.request("GET", "/api/v1/queries?limit=1").decoded(as: Queries.self)
                #expect(one.names.count == 1 && one.nxdomain.count == 1)
            }
        }

        @Test func `what an upstream says or does not say about a name is noted too`() async throws {
            let upstream = try ServerProcess(["dns.domain": "upstream.test", "dns.workers": "1"])
            let keys = ["dns.upstream.servers": "\(upstream.dns[0])", "dns.upstream.timeout": "200ms"]
            try await withServer(keys) { server in
                let rest = try HTTPConnection(server.rest)
                #expect(try server.ask("none.upstream.test").code == .nameError)
                try upstream.stop()
                #expect(try server.ask("other.upstream.test").code == .serverFailure)
                let queries = try rest.request("GET", "/api/v1/queries").decoded(as: Queries.self)
                #expect(queries.nxdomain.map(\.name) == ["none.upstream.test"])
                #expect(queries.servfail.map(\.name) == ["other.upstream.test"])
                #expect((queries.nxdomain + queries.servfail).allSatisfy { $0.client == "127.0.0.1" })
            }
        }

        @Test(arguments: ["limit=0", "limit=1001", "limit=x", "limit=", "limit=1&limit=2", "nam=a"])
        func `a bad parameter is a 422 that names it`(query: String) async throws {
            try await withServer { server in
                let response = try HTTPConnection(server.rest).request("GET", "/api/v1/queries?\(query)")
                #expect(response.status == 422)
                let field = try #require(query.split(separator: "=").first.map(String.init))
                #expect(try response.decoded(as: Problem.self).errors?.map(\.field) == [field])
            }
        }
    }
}
