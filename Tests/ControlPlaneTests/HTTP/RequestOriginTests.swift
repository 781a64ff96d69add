import Engine
import HTTPTypes
import NIOHTTP1
import Testing

@testable import ControlPlane

/// The pages whose requests a browser may send.
@Suite struct RequestOriginTests {
    private func status(
        _ fields: [(String, String)], _ method: HTTPRequest.Method = .get, _ target: String = "/healthz",
        hosts: [String] = [], isVersion10: Bool = false
    ) -> Int? {
        let origin = RequestOrigin(hosts: hosts, machineName: "Node1.Rack.Example")
        var head = RequestHead(method: method, target: target, arrival: .init(monotonic: .now, wall: .now))
        head.fields = HTTPHeaders(fields)
        head.isVersion10 = isVersion10
        return origin.refusal(of: head, RequestTarget(target))?.status.code
    }

    @Test(arguments: [
        "localhost", "LOCALHOST", "localhost.", "localhost:8080", "localhost:", "127.0.0.1", "127.0.0.1:1",
        "203.0.113.7:65535", "[::1]", "[::1]:8080", "[2001:DB8::1]", "node1.rack.example", "node1", "NODE1:80",
        "node1.",
        "registry.example", "Registry.Example.:443", "my_container",
    ])
    func `an address, localhost, the machine's name and configured names are ours`(host: String) {
        #expect(status([("Host", host)], hosts: ["registry.example", "my_container"]) == nil)
    }

    @Test(arguments: [
        "rebind.evil.example", "rebind.evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "evil",
        "registry.example.evil", "xregistry.example", "0x7f000001", "2130706433", "127.1", "service.kong", "example",
        "7f000001.addr.service.kong",
    ])
    func `any other name is misdirected`(host: String) {
        #expect(status([("Host", host)], hosts: ["registry.example"]) == 421)
        #expect(status([("Host", host)], hosts: ["*"]) == nil)
    }

    @Test(arguments: [
        "", "a b", "a/b", "user@localhost", "localhost:x", "localhost:65536", "localhost:80:80", "[::1", "::1",
        "[127.0.0.1]",
        "[::1]x", "[fe80::1%eth0]", "localhost:-1", "localhost,evil", "ä", ":80", "..",
    ])
    func `what is no host and port is a bad request`(host: String) {
        #expect([400, 421].contains(status([("Host", host)])))
        #expect(host == ".." || status([("Host", host)]) == 400)
        #expect(host == ".." || status([("Host", host)], hosts: ["*"]) == 400)
    }

    @Test func `Host is there once, but HTTP of version 1.0 has none`() {
        #expect(status([]) == 400)
        #expect(status([], hosts: ["*"]) == 400)
        #expect(status([("Host", "localhost"), ("host", "localhost")]) == 400)
        #expect(status([], isVersion10: true) == nil)
        #expect(status([("Host", "evil.example")], isVersion10: true) == 421)
    }

    @Test func `the host of a whole URI comes before the field`() {
        #expect(status([("Host", "localhost")], .get, "http://evil.example/healthz") == 421)
        #expect(status([("Host", "evil.example")], .get, "http://127.0.0.1:8080/healthz") == nil)
        #expect(status([("Host", "evil.example")], .get, "HTTP://[::1]/healthz") == nil)
        #expect(status([("Host", "localhost")], .get, "http://localhost@evil.example/") == 400)
        #expect(status([("Host", "localhost")], .get, "http:///healthz") == 400)
        #expect(status([], .get, "http://localhost/healthz") == 400)
    }

    @Test func `a page of another origin changes nothing, but may be told what a link shows`() {
        let changes: [HTTPRequest.Method] = [.post, .put, .patch, .delete, .options]
        for method in changes {
            func change(_ fields: [(String, String)]) -> Int? {
                status([("Host", "localhost:8080")] + fields, method, "/")
            }
            #expect(change([]) == nil)
            #expect(change([("Origin", "http://localhost:8080")]) == nil)
            #expect(change([("Origin", "http://LOCALHOST.:8080"), ("Sec-Fetch-Site", "same-origin")]) == nil)
            #expect(change([("Sec-Fetch-Site", "none")]) == nil)
            for foreign in [
                "http://localhost", "http://localhost:3000", "http://evil.example", "https://evil.example:8080", "null",
                "",
                "http://127.0.0.1:8080", "file://", "chrome-extension://abc",
                "http://localhost:8080, http://evil.example",
                "http://localhost:8080@evil.example", "http://localhost:8080/",
            ] {
                #expect(change([("Origin", foreign)]) == 403, "\(foreign)")
            }
            #expect(change([("Origin", "http://localhost:8080"), ("Origin", "http://evil.example")]) == 403)
            #expect(change([("Sec-Fetch-Site", "cross-site")]) == 403)
            #expect(change([("Origin", "http://localhost:8080"), ("Sec-Fetch-Site", "cross-site")]) == 403)
            #expect(change([("Sec-Fetch-Site", "same-site")]) == 403)
        }
        for method in [HTTPRequest.Method.get, .head] {
            #expect(status([("Host", "localhost"), ("Origin", "http://evil.example")], method, "/") == nil)
        }
        // Behind a proxy that ends TLS on its default port, which it may name.
        for host in ["registry.example", "registry.example:443"] {
            #expect(
                status(
                    [("Host", host), ("Origin", "https://registry.example")], .post, "/", hosts: ["registry.example"])
                    == nil)
        }
        #expect(status([("Host", "evil.example"), ("Origin", "http://evil.example")], .post, hosts: ["*"]) == nil)
        #expect(status([("Host", "x"), ("Origin", "http://evil.example")], .post, hosts: ["*"]) == 403)
        #expect(status([("Origin", "http://localhost")], .post, isVersion10: true) == 403)
    }
}
