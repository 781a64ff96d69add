import Engine
import Testing

@testable import ControlPlane

@Suite struct ProbeRequestTests {
    private func request(_ kind: Check.Kind, _ address: String = "10.0.0.1") throws -> ProbeRequest {
        let address = try #require(IPAddress(address))
        return try #require(ProbeRequest(Check(name: "c", kind: kind), address: address, instancePort: 80))
    }

    @Test func `plain checks go to the address, with no name in the URL`() throws {
        var request = try request(.http(HTTPCheck(path: "/h?x", host: "shop.example", port: 81)))
        #expect(request.url == "http://10.0.0.1:81/h?x")
        #expect(request.fields.contains("Host: shop.example"))
        #expect(!request.isPinned)
        request = try self.request(.tcp(port: nil), "2001:db8::1")
        #expect(request.url == "http://[2001:db8::1]:80/")
        #expect(request.exchange == .none)
        #expect(try self.request(.tcp(port: 9)).url == "http://10.0.0.1:9/")
    }

    @Test(arguments: [
        ("shop.example", "https://shop.example:80/"), ("Shop.example:8443", "https://shop.example:80/"),
        ("127.1", "https://127.1:80/"), ("localhost", "https://localhost:80/"), ("[::1]:9", "https://[::1]:80/"),
        ("192.0.2.7", "https://192.0.2.7:80/"),
    ])
    func `a name for TLS is in the URL, and pinned to the address`(host: String, url: String) throws {
        let request = try request(.http(HTTPCheck(usesTLS: true, host: host)), "fd00::1")
        #expect(request.url == url)
        #expect(request.isPinned)
        #expect(request.connectTo == "::[fd00::1]:80")
        #expect(request.fields.contains("Host: \(host)"))
    }

    @Test func `other checks over TLS have a name too, or the address`() throws {
        #expect(try request(.tls(TLSCheck())).url == "https://10.0.0.1:80/")
        #expect(try request(.tls(TLSCheck())).isPinned == false)
        #expect(try request(.tls(TLSCheck(serverName: "::1"))).url == "https://[::1]:80/")
        let call = try request(.grpc(GRPCCheck(service: "a.B", usesTLS: true, serverName: "x.example", port: 1)))
        #expect(call.url == "https://x.example:1/grpc.health.v1.Health/Check")
        #expect(call.connectTo == "::10.0.0.1:1")
        #expect(call.exchange == .call([0, 0, 0, 0, 5, 0x0A, 3] + Array("a.B".utf8)))
    }

    @Test func `fields are the registrant's, besides those of the connection`() throws {
        let fields = [HTTPCheck.Field(name: "X-A", value: "b"), HTTPCheck.Field(name: "Empty", value: "")]
        #expect(
            try request(.http(HTTPCheck(headers: fields))).fields == [
                "X-A: b", "Empty;", "User-Agent: kong-discovery-check", "Connection: close",
            ])
        let own = try request(.http(HTTPCheck(headers: [HTTPCheck.Field(name: "user-agent", value: "x")])))
        #expect(own.fields == ["user-agent: x", "Connection: close"])
    }

    @Test func `a check of type ttl has no runs`() throws {
        let address = try #require(IPAddress("10.0.0.1"))
        let check = Check(name: "c", kind: .ttl(.seconds(1)))
        #expect(ProbeRequest(check, address: address, instancePort: 80) == nil)
    }

    @Test func `gRPC messages`() {
        #expect(HealthCall.request("") == [0, 0, 0, 0, 0])
        let long = String(repeating: "s", count: 255)
        #expect(HealthCall.request(long) == [0, 0, 0, 1, 2, 0x0A, 0xFF, 1] + Array(long.utf8))
        func status(_ message: [UInt8]) -> HealthCall.Status? {
            HealthCall.status([0, 0, 0, 0, UInt8(message.count)] + message)
        }
        #expect(status([8, 1]) == .serving)
        #expect(status([8, 2]) == .notServing)
        #expect(status([8, 3]) == .serviceUnknown)
        #expect(status([]) == .unknown)
        #expect(status([8, 99]) == .unknown)
        #expect(status([0x12, 2, 65, 66, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 8, 0x81, 0]) == .serving)
        for bad in [[8], [8, 0x80], [0x12, 5, 1], [0x19, 1], [0x0B], [0xFF], [UInt8](repeating: 0xFF, count: 11)] {
            #expect(status(bad) == nil)
        }
        for bad in [[], [0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 255, 255, 255, 255], [0, 0, 0, 0, 0, 8]] as [[UInt8]]
        {
            #expect(HealthCall.status(bad) == nil)
        }
    }

    @Test func `a text is found however it is cut into pieces`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let text = String((0..<Int.random(in: 1...6)).map { _ in "ab".randomElement(using: &random) ?? "a" })
            let body = String((0..<Int.random(in: 0...40)).map { _ in "ab".randomElement(using: &random) ?? "b" })
            var search = TextSearch(text)
            var rest = Array(body.utf8)[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...5)
                search.take(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(search.isFound == body.contains(text), "\(text) in \(body)")
        }
    }
}
