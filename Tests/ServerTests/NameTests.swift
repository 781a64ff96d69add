import Testing

extension ServerTests {
    /// What each name of the domain answers.
    @Suite struct NameTests {
        private let soa = /^ns\.service\.kong hostmaster\.service\.kong \d+ \d+ \d+ \d+ 1$/

        @Test func `tags, protocols and empty non-terminals answer what they should`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1", port: 81, tags: ["Blue", "eu"]))
                try rest.register(Registration("orders", "10.0.0.2", port: 82, protocol: "udp", tags: ["green"]))
                try rest.register(Registration("web", "2001:db8::1", port: 443))

                let first = "0 1 81 0a000001.addr.service.kong"
                let second = "0 1 82 0a000002.addr.service.kong"
                let ipv6 = "20010db8000000000000000000000001.addr.service.kong"
                try expect(server, "orders", .a, ["10.0.0.1", "10.0.0.2"])
                try expect(server, "ORDERS", .a, ["10.0.0.1", "10.0.0.2"])
                try expect(server, "orders", .srv, [first, second])
                try expect(server, "orders", .aaaa, [])
                try expect(server, "orders", .txt, [])
                try expect(server, "_orders._tcp", .srv, [first])
                try expect(server, "_orders._udp", .srv, [second])
                try expect(server, "_orders._tcp", .a, [])
                try expect(server, "blue.orders", .a, ["10.0.0.1"])
                try expect(server, "blue.orders", .srv, [first])
                try expect(server, "green.orders", .srv, [second])
                try expect(server, "eu.orders", .aaaa, [])
                try expect(server, "red.orders", .a, nil)
                try expect(server, "web", .aaaa, ["2001:db8::1"])
                try expect(server, "web", .a, [])
                try expect(server, "web", .srv, ["0 1 443 \(ipv6)"])
                try expect(server, "_web._udp", .srv, nil)
                try expect(server, "_tcp", .srv, [])
                try expect(server, "_udp", .a, [])
                try expect(server, "addr", .a, [])
                try expect(server, "0a000001.addr", .a, ["10.0.0.1"])
                try expect(server, "C0000201.addr", .a, ["192.0.2.1"])
                try expect(server, "0a000001.addr", .srv, [])
                try expect(server, "0a000001.addr", .aaaa, [])
                try expect(server, "20010db8000000000000000000000001.addr", .aaaa, ["2001:db8::1"])
                try expect(server, "20010db8000000000000000000000001.addr", .a, [])
                try expect(server, "0a00000.addr", .a, nil)
                try expect(server, "0a00000g.addr", .a, nil)
                try expect(server, "x.0a000001.addr", .a, nil)
                try expect(server, "nobody", .a, nil)
                try expect(server, "a.b.c.nobody", .srv, nil)
                try expect(server, "ns", .a, ["127.0.0.1"])
                try expect(server, "ns", .aaaa, [])

                try rest.deregister(try rest.register(Registration("orders", "10.0.0.2", port: 82, protocol: "udp")).id)
                try expect(server, "_udp", .a, nil)
                try expect(server, "_orders._udp", .srv, nil)
                try expect(server, "green.orders", .a, nil)
            }
        }

        @Test func `reverse names of registered addresses lead to their services`() async throws {
            let settings = ["dns.reverse": "10.0.0.0/8, fd00::/8"]
            try await withServer(settings) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1", id: "a"))
                try rest.register(Registration("users", "10.0.0.1", port: 81, id: "b"))
                try rest.register(Registration("web", "fd00::1", id: "c"))
                func names(_ name: String) throws -> Set<String>? {
                    let reply = try server.ask(name, .ptr)
                    #expect(reply.isAuthoritative, "\(name)")
                    return reply.code == .nameError ? nil : Set(reply.texts)
                }
                let ipv6 = "1" + String(repeating: ".0", count: 27) + ".0.0.d.f.ip6.arpa"
                #expect(try names("1.0.0.10.in-addr.arpa") == ["orders.service.kong", "users.service.kong"])
                #expect(try names(ipv6) == ["web.service.kong"])
                #expect(try names("2.0.0.10.in-addr.arpa") == nil)
                #expect(try names("0.0.10.in-addr.arpa") == [])
                #expect(try server.ask("1.0.0.11.in-addr.arpa", .ptr).code == .refused)
                #expect(try rest.request("DELETE", "/api/v1/services/a").status == 204)
                #expect(try names("1.0.0.10.in-addr.arpa") == ["users.service.kong"])
                #expect(try rest.request("DELETE", "/api/v1/services/b").status == 204)
                #expect(try names("1.0.0.10.in-addr.arpa") == nil)
            }
        }

        /// Asks for a name below the domain over UDP and TCP, and checks the answers.
        ///
        /// - Parameter texts: the texts of the records; none for NODATA; `nil` for NXDOMAIN.
        private func expect(
            _ server: ServerProcess,
            _ name: String,
            _ type: RecordType,
            _ texts: Set<String>?,
            at location: SourceLocation = #_sourceLocation
        ) throws {
            for transport in ClientSocket.Transport.allCases {
                let reply = try server.ask("\(name).service.kong", type, over: transport)
                #expect(
                    reply.code == (texts == nil ? .nameError : .noError), "\(name) \(type)", sourceLocation: location)
                #expect(reply.isAuthoritative, "\(name) \(type)", sourceLocation: location)
                #expect(Set(reply.texts) == texts ?? [], "\(name) \(type)", sourceLocation: location)
                #expect(reply.answers.count == texts?.count ?? 0, "\(name) \(type)", sourceLocation: location)
                if texts?.isEmpty ?? true {
                    // RFC 2308 §3: the SOA, with the negative TTL.
                    let authority = try #require(reply.authority.first, "\(name) \(type)", sourceLocation: location)
                    #expect(authority.name == "service.kong" && authority.ttl == 1, sourceLocation: location)
                    #expect(authority.text.contains(soa), sourceLocation: location)
                }
            }
        }

        @Test func `the apex has SOA and NS, and names outside are refused`() async throws {
            try await withServer(["dns.listen": "127.0.0.1:0", "dns.ttl": "7s", "dns.negative_ttl": "3s"]) { server in
                let apex = try server.ask("service.kong", .soa)
                #expect(apex.isAuthoritative && apex.answers.map(\.ttl) == [7])
                #expect(apex.texts.first?.hasSuffix(" 3") == true)
                #expect(try server.ask("service.kong", .ns).texts == ["ns.service.kong"])
                let noAddress = try server.ask("service.kong", .a)
                #expect(
                    noAddress.code == .noError && noAddress.answers.isEmpty && noAddress.authority.map(\.ttl) == [3])
                for name in ["example.com", "kong", "xservice.kong", "service.kong.example", ""] {
                    for transport in ClientSocket.Transport.allCases {
                        let reply = try server.ask(name, .a, over: transport)
                        #expect(reply.code == .refused && !reply.isAuthoritative && reply.answers.isEmpty)
                    }
                }
                let any = try Kdig.ask(server.dns[0], "service.kong", "ANY")
                #expect(any.status == "NOERROR" && any.answers == [#""RFC8482" """#])
                #expect(try server.ask("service.kong", .axfr, over: .tcp).code == .refused)
            }
        }

        @Test func `another domain and its length are no problem`() async throws {
            try await withServer(["dns.domain": "Internal.Example.ORG"]) { server in
                try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1"))
                let reply = try server.ask("oRdErS.internal.EXAMPLE.org", .srv)
                // The question comes back as it was written, but targets are always in lower case.
                #expect(reply.texts == ["0 1 80 0a000001.addr.internal.example.org"])
                #expect(try server.ask("orders.service.kong").code == .refused)
            }
        }

        @Test func `priorities lowest answers the best group, and the next when it is gone`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let best = try rest.register(Registration("orders", "10.0.0.1", weight: 100, priority: 1)).id
                let next = try rest.register(Registration("orders", "10.0.0.2", weight: 200, priority: 2)).id
                try rest.register(Registration("orders", "10.0.0.3", weight: 300, priority: 2))
                try expect(server, "orders", .srv, ["1 1 80 0a000001.addr.service.kong"])
                try expect(server, "orders", .a, ["10.0.0.1"])
                try rest.patch(best, #"{"draining":true}"#)
                try expect(
                    server,
                    "orders",
                    .srv,
                    ["2 2 80 0a000002.addr.service.kong", "2 3 80 0a000003.addr.service.kong"]
                )
                try rest.patch(next, #"{"priority":0}"#)
                try expect(server, "orders", .a, ["10.0.0.2"])
            }
        }

        @Test func `priorities all answers every group with weights in lowest terms`() async throws {
            try await withServer(["dns.priorities": "all"]) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1", weight: 100, priority: 1))
                try rest.register(Registration("orders", "10.0.0.2", weight: 200, priority: 2))
                try rest.register(Registration("orders", "10.0.0.3", weight: 0, priority: 0))
                try expect(server, "orders", .a, ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
                try expect(
                    server,
                    "orders",
                    .srv,
                    [
                        "1 1 80 0a000001.addr.service.kong", "2 2 80 0a000002.addr.service.kong",
                        "0 0 80 0a000003.addr.service.kong",
                    ]
                )
            }
        }

        @Test func `a doubled address and port is answered once, with the higher weight and the smallest TTL`()
            async throws
        {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1", id: "a", weight: 10, dnsTTL: 60))
                try rest.register(Registration("orders", "10.0.0.1", id: "b", weight: 30, dnsTTL: 20))
                try rest.register(Registration("orders", "10.0.0.1", port: 81, id: "c", weight: 20, dnsTTL: 40))
                try expect(
                    server,
                    "orders",
                    .srv,
                    ["0 3 80 0a000001.addr.service.kong", "0 2 81 0a000001.addr.service.kong"]
                )
                try expect(server, "orders", .a, ["10.0.0.1"])
                let reply = try server.ask("orders.service.kong", .srv)
                #expect(Set(reply.answers.map(\.ttl)) == [20] && Set(reply.additional.map(\.ttl)) == [86_400])
                #expect(reply.additional.map(\.text) == ["10.0.0.1"])
                try rest.deregister("b")
                #expect(try server.ask("orders.service.kong", .srv).answers.map(\.ttl) == [40, 40])
            }
        }

        @Test(arguments: [("nxdomain", ResponseCode.nameError), ("nodata", .noError), ("servfail", .serverFailure)])
        func `on_empty decides what a service without healthy instances answers`(
            onEmpty: String,
            code: ResponseCode
        ) async throws {
            try await withServer(["dns.on_empty": onEmpty]) { server in
                let rest = try HTTPConnection(server.rest)
                let id = try rest.register(Registration("orders", "10.0.0.1", tags: ["blue"])).id
                try rest.patch(id, #"{"draining":true}"#)
                for name in ["orders", "blue.orders", "_orders._tcp"] {
                    for type in [RecordType.a, .srv] {
                        let reply = try server.ask("\(name).service.kong", type)
                        #expect(reply.code == code && reply.answers.isEmpty)
                        #expect(reply.authority.isEmpty == (code == .serverFailure))
                    }
                }
                // A service that nobody has registered is no empty service.
                #expect(try server.ask("nobody.service.kong").code == .nameError)
                try rest.patch(id, #"{"draining":false}"#)
                #expect(try server.ask("blue.orders.service.kong").texts == ["10.0.0.1"])
                try rest.deregister(id)
                #expect(try server.ask("orders.service.kong").code == .nameError)
            }
        }

        @Test func `an answer fits what the client can take, or says that it does not`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                for host in 1...40 { try rest.register(Registration("orders", "10.0.0.\(host)", port: 8000 + host)) }
                let plain = try server.ask("orders.service.kong")
                #expect(plain.isTruncated && plain.additional.isEmpty)
                let large = try server.ask("orders.service.kong", payload: 1232)
                #expect(!large.isTruncated && large.answers.count == 40)
                #expect(large.additional.map(\.type) == [RecordType.opt.rawValue])
                // 40 SRV records need more than dns.udp_payload, whatever the client offers.
                #expect(try server.ask("orders.service.kong", .srv, payload: 4096).isTruncated)
                let tcp = try server.ask("orders.service.kong", .srv, over: .tcp)
                #expect(!tcp.isTruncated && tcp.answers.count == 40 && tcp.additional.count == 40)
            }
        }
    }
}
