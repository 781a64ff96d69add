import Glibc
import Testing

extension ServerTests {
    /// The addresses on which the server listens, and from which it answers.
    @Suite struct AddressTests {
        @Test func `IPv6 works for DNS and the API`() async throws {
            try await withServer(["dns.listen": "[::1]:0", "server.listen": "[::1]:0"]) { server in
                #expect(server.dns[0].host == "::1" && server.rest.host == "::1")
                try HTTPConnection(server.rest).register(Registration("orders", "2001:DB8:0:0::1"))
                for transport in ClientSocket.Transport.allCases {
                    #expect(try server.ask("orders.service.kong", .aaaa, over: transport).texts == ["2001:db8::1"])
                }
                #expect(try server.ask("ns.service.kong", .aaaa).texts == ["::1"])
                #expect(throws: SocketError.self) { try DNSClient(Endpoint("127.0.0.1", server.dns[0].port), .tcp) }
            }
        }

        @Test func `a wildcard answers from the address that was asked`() async throws {
            let port = try Endpoint.unused().port
            try await withServer(["dns.listen": "0.0.0.0:\(port),[::]:\(port)", "server.listen": "0.0.0.0:0"]) {
                server in
                try HTTPConnection(Endpoint("127.0.0.1", server.rest.port)).register(Registration("orders", "10.0.0.1"))
                for host in ["127.0.0.1", "127.0.0.2", "127.10.20.30", "::1"] {
                    for transport in ClientSocket.Transport.allCases {
                        // A connected socket accepts nothing from another address.
                        let client = try DNSClient(Endpoint(host, port), transport)
                        #expect(try client.ask("orders.service.kong").texts == ["10.0.0.1"])
                    }
                }
            }
        }

        @Test func `every address of a list is listened on`() async throws {
            try await withServer(["dns.listen": "127.0.0.1:0,127.0.0.2:0,[::1]:0", "dns.workers": "2"]) { server in
                #expect(server.dns.map(\.host) == ["127.0.0.1", "127.0.0.2", "::1"])
                for endpoint in server.dns {
                    for transport in ClientSocket.Transport.allCases {
                        let reply = try DNSClient(endpoint, transport).ask("service.kong", .soa)
                        #expect(reply.answers.count == 1)
                    }
                }
            }
        }

        @Test func `after kill -9 the same ports can be had at once`() async throws {
            let dns = try Endpoint.unused()
            let rest = try Endpoint.unused()
            let settings = ["dns.listen": "\(dns)", "server.listen": "\(rest)", "dns.workers": "2"]
            for _ in 0..<3 {
                let server = try ServerProcess(settings)
                // The kernel keeps these connections after the server's end.
                let http = try HTTPConnection(rest)
                try http.register(Registration("orders", "10.0.0.1"))
                let tcp = try DNSClient(dns, .tcp)
                #expect(try tcp.ask("orders.service.kong").texts == ["10.0.0.1"])
                server.process.signal(SIGKILL)
                #expect(try server.process.waitForExit() == .killed(signal: SIGKILL))
                try await withServer(settings) { next in
                    #expect(next.dns == [dns] && next.rest == rest)
                    let reply = try next.ask("orders.service.kong")
                    #expect(reply.code == .nameError)
                    withExtendedLifetime((http, tcp)) {}
                }
            }
        }
    }
}
