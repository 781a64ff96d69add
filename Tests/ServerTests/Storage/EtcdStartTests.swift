import Foundation
import Glibc
import Testing

extension StorageTests {
    /// How a node finds its etcd.
    @Suite struct EtcdStartTests {
        @Test func `a node waits for etcd and reports that, and its DNS ports are closed`() async throws {
            let etcd = try EtcdProcess()
            let dns = try Endpoint.unused()
            let settings = etcd.settings(timeout: "1s").merging(["dns.listen": "\(dns)"]) { $1 }
            let server = try ServerProcess(settings, until: .restListens)
            try server.waitForLog("etcd")
            let rest = try HTTPConnection(server.rest)
            try Self.expectWaiting(rest)
            // The query is refused at once, so the client turns to another server.
            let client = try DNSClient(dns)
            try client.send(DNSMessage.query("service.kong", .soa))
            #expect { try client.receive() } throws: { ($0 as? SocketError)?.code == ECONNREFUSED }
            #expect(throws: SocketError.self) { try DNSClient(dns, .tcp) }

            try etcd.start()
            try server.waitForLog(" ready")
            #expect(try rest.request("GET", "/ready").status == 200)
            try server.expectWell()
            try server.stop()
        }

        /// Checks what a node reports that has nothing to answer from.
        private static func expectWaiting(_ rest: HTTPConnection) throws {
            #expect(try rest.request("GET", "/healthz").status == 200)
            let ready = try rest.request("GET", "/ready")
            #expect(ready.status == 503 && ready.fields["retry-after"] != nil, "\(ready.text)")
            #expect(try rest.request("GET", "/api/v1/health").status == 503)
            let start = ContinuousClock.now
            let post = try rest.request("POST", "/api/v1/services", json(Registration("orders", "10.0.0.1")))
            #expect(post.status == 503 && Int(post.fields["retry-after"] ?? "") ?? 0 >= 1, "\(post.text)")
            #expect(start.duration(to: .now) < .seconds(2))
            #expect(try rest.storage().health == "fail")
        }

        @Test(arguments: [SIGTERM, SIGINT])
        func `a signal ends a node that waits`(signal: Int32) throws {
            let etcd = try EtcdProcess()
            let server = try ServerProcess(etcd.settings(timeout: "1s"), until: .restListens)
            try Self.expectWaiting(try HTTPConnection(server.rest))
            try server.stop(signal)
        }

        @Test func `a frozen etcd is waited for as well`() throws {
            let etcd = try EtcdProcess.started()
            etcd.freeze()
            let server = try ServerProcess(etcd.settings(timeout: "1s"), until: .restListens)
            try Self.expectWaiting(try HTTPConnection(server.rest))
            etcd.thaw()
            try server.waitForLog(" ready")
            try HTTPConnection(server.rest).register(Registration("well", "10.0.0.1"))
            try server.stop()
        }

        @Test func `with a snapshot a node answers from the last known state at once`() async throws {
            let etcd = try EtcdProcess.started()
            let folder = try TemporaryFolder()
            let snapshot = "\(folder.path)/snapshot"
            let settings = etcd.settings(timeout: "1s").merging(["storage.etcd.snapshot": snapshot]) { $1 }
            try await withNodes([settings]) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                try rest.register(Registration("orders", "10.0.0.1", id: "a", metadata: ["k": "v"], ttl: 60))
                try rest.register(Registration("drained", "10.0.0.2", id: "b", ttl: 60))
                try rest.patch("b", #"{"draining":true}"#)
                try rest.register(Registration("left", "10.0.0.3", id: "c", ttl: 60))
                try rest.deregister("c")
            }
            try etcd.stop()
            try await withNodes([settings], toleratesErrors: true) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                #expect(try nodes[0].addresses("orders") == [["10.0.0.1"]])
                for name in ["drained", "left"] {
                    #expect(try nodes[0].ask("\(name).service.kong").code == .nameError)
                }
                #expect(try rest.list().map(\.id) == ["a", "b"])
                try rest.expectUnavailable("a", within: .seconds(2))
                #expect(try rest.request("GET", "/ready").text.contains(#""health":"fail""#))
                let watch = try DNSWatch(nodes[0], ["orders": ["10.0.0.1"]])
                try etcd.start()
                try nodes[0].waitForStorage("pass", within: .seconds(15))
                try rest.register(Registration("after", "10.0.0.4", id: "d", ttl: 60))
                watch.stop()
            }
            // An invalid snapshot does no harm: the data in etcd counts.
            for text in ["", "{", String(repeating: "x", count: 10_000)] {
                _ = try folder.write("snapshot", text)
                try await withNodes([settings], toleratesErrors: true) { nodes in
                    let ids = try HTTPConnection(nodes[0].rest).list().map(\.id)
                    #expect(ids == ["a", "b", "d"])
                }
            }
            try etcd.stop()
            _ = try folder.write("snapshot", "{")
            let server = try ServerProcess(settings, until: .restListens)
            try Self.expectWaiting(try HTTPConnection(server.rest))
            try server.stop()
        }

        @Test func `the first of two endpoints may be dead, or silent`() async throws {
            let etcd = try EtcdProcess.started()
            let silent = try TCPProxy(to: etcd.endpoint)
            silent.set(.hold)
            for first in [try Endpoint.unused(), silent.endpoint] {
                let start = ContinuousClock.now
                try await withNodes([EtcdProcess.settings(endpoints: [first, etcd.endpoint], timeout: "1s")]) { nodes in
                    #expect(start.duration(to: .now) < .seconds(5))
                    try nodes[0].expectWell()
                    #expect(try HTTPConnection(nodes[0].rest).storage().endpoint?.contains("\(etcd.endpoint)") == true)
                }
            }
            silent.stop()
        }

        @Test(arguments: ["ftp://127.0.0.1:2379", "127.0.0.1", "http://", "http://127.0.0.1:99999", "http://x:1/path"])
        func `an endpoint that is not valid is named`(endpoint: String) throws {
            let settings = ["storage.type": "etcd", "storage.etcd.endpoints": endpoint]
            let process = try ServerProcess.start(["serve"], settings)
            #expect(try process.waitForExit() == .exited(1))
            let lines = process.errors.split(separator: "\n")
            #expect(lines.count == 1, "\(lines)")
            #expect(lines.first?.contains("STORAGE_ETCD_ENDPOINTS") == true && lines.first?.contains(endpoint) == true)
        }
    }
}
