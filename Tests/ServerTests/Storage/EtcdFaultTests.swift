import Foundation
import Glibc
import Testing

extension StorageTests {
    /// Nodes that die, values that are no instances, and history that is gone.
    @Suite struct EtcdFaultTests {
        private static let services = "/kong-discovery/v1/services"

        @Test func `a node that is killed takes no instance with it whose heartbeats reach another`() async throws {
            let etcd = try EtcdProcess.started()
            try await withNodes([etcd.settings(), etcd.settings()]) { nodes in
                let ids = (0..<20).map { "i\($0)" }
                for (number, id) in ids.enumerated() {
                    try HTTPConnection(nodes[0].rest).register(
                        Registration("orders", "10.0.0.\(number)", id: id, ttl: 2))
                }
                let addresses = Set(ids.indices.map { "10.0.0.\($0)" })
                try nodes[1].waitForAddresses("orders", addresses)
                try nodes[0].kill()
                let killed = ContinuousClock.now
                let heartbeats = Heartbeats(ids, at: nodes[1])
                while killed.duration(to: .now) < .seconds(6) {
                    let answer = try nodes[1].ask("orders.service.kong", over: .tcp)
                    try #require(Set(answer.texts) == addresses)
                    usleep(20_000)
                }
                heartbeats.stop()
                #expect(try etcd.client.entries(Self.services).count == 20)
            }
        }

        @Test func `all nodes can be started anew`() async throws {
            let etcd = try EtcdProcess.started()
            var before: [WholeInstance] = []
            try await withNodes([etcd.settings(), etcd.settings()]) { nodes in
                for number in 0..<30 {
                    try HTTPConnection(nodes[number % 2].rest).register(
                        Registration("s\(number % 3)", "10.0.0.\(number)", id: "i\(29 - number)", ttl: number % 2 * 60))
                }
                try HTTPConnection(nodes[0].rest).patch("i5", #"{"draining":true}"#)
                before = try HTTPConnection(nodes[0].rest).list()
                #expect(before.count == 30)
            }
            try await withNodes([etcd.settings(), etcd.settings()]) { nodes in
                for node in nodes {
                    let list = try HTTPConnection(node.rest).list()
                    #expect(list == before)
                    // These are all instances except the draining one.
                    let counts = try (0..<3).map { try node.ask("s\($0).service.kong", over: .tcp).texts.count }
                    #expect(counts.reduce(0, +) == 29)
                }
            }
        }

        @Test func `values that are no instances are skipped, logged once, counted, and hide no others`() async throws {
            let etcd = try EtcdProcess.started()
            let good = try await Self.goodValue(etcd)
            let bad: [(key: String, value: [UInt8])] = [
                ("/orders/not-json", Array("hello".utf8)),
                ("/orders/empty", []),
                ("/orders/octets", [0, 255, 254, 10, 13, 0]),
                ("/orders/array", Array("[1,2]".utf8)),
                ("/orders/fields", Array(#"{"ip":"nowhere","port":99999}"#.utf8)),
                ("/orders/deep", Array(String(repeating: "[", count: 100_000).utf8)),
                ("/orders/large", Array(#"{"x":"\#(String(repeating: "y", count: 1_000_000))"}"#.utf8)),
                ("/bad name/x", good), ("/orders/a/b", good), ("/orders/", good), ("/ORDERS/upper", good),
                ("", good), ("/addr/reserved", good),
            ]
            for (key, value) in bad.prefix(6) { try etcd.client.put(Self.services + key, value) }
            try etcd.client.put("/kong-discovery/other", good)
            try etcd.client.put("/kong-discovery-of-others/v1/services/orders/x", good)
            try await withNodes([etcd.settings()], toleratesErrors: true) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                #expect(try rest.storage().malformed == 6)
                for (key, value) in bad.dropFirst(6) { try etcd.client.put(Self.services + key, value) }
                // This one comes after them in the watch.
                try etcd.client.put(Self.services + "/orders/good", good)
                try nodes[0].waitForAddresses("orders", ["10.0.0.1"])
                #expect(try rest.list().map(\.id) == ["good"])
                #expect(try rest.storage().malformed == bad.count)
                #expect(try rest.storage().health == "pass")
                try rest.register(Registration("orders", "10.0.0.2", id: "new", ttl: 60))
                #expect(try nodes[0].addresses("orders") == [["10.0.0.1", "10.0.0.2"]])

                // A bad value that is repeated is not logged again, and a value that is put right appears.
                let lines = nodes[0].logLines.count { $0.contains("/orders/not-json") }
                #expect(lines == 1)
                for round in 1...3 { try etcd.client.put(Self.services + "/orders/not-json", Array("\(round)".utf8)) }
                let right = String(decoding: good, as: UTF8.self).replacing("good", with: "empty")
                try etcd.client.put(Self.services + "/orders/empty", Array(right.utf8))
                try eventually("it is there") { try rest.request("GET", "/api/v1/services/empty").status == 200 }
                #expect(nodes[0].logLines.count { $0.contains("/orders/not-json") } == 1)
                #expect(try rest.storage().malformed == bad.count - 1)
                // An instance whose value turns bad is gone.
                try etcd.client.put(Self.services + "/orders/good", Array("{}".utf8))
                try eventually("it is gone") { try rest.request("GET", "/api/v1/services/good").status == 404 }
                for (key, _) in bad { try etcd.client.delete(Self.services + key) }
                #expect(try rest.request("GET", "/healthz").status == 200)
            }
        }

        /// The value that a node writes for an instance.
        private static func goodValue(_ etcd: EtcdProcess) async throws -> [UInt8] {
            var value: [UInt8] = []
            try await withNodes([etcd.settings()]) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                try rest.register(Registration("orders", "10.0.0.1", id: "good", ttl: 0))
                value = try #require(try etcd.client.entries(services).first).value
                try rest.deregister("good")
            }
            return value
        }

        @Test func `an etcd without space keeps changes again once it has space, and not before`() async throws {
            let etcd = try EtcdProcess.started(options: ["--quota-backend-bytes", "1500000"])
            try await withNodes([etcd.settings()], toleratesErrors: true) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                try rest.register(Registration("kept", "10.0.0.1", id: "kept", ttl: 2))
                let heartbeats = Heartbeats(["kept"], at: nodes[0])
                let watch = try DNSWatch(nodes[0], ["kept": ["10.0.0.1"]])
                var number = 0
                try eventually("there is no space") {
                    number += 1
                    return (try? etcd.client.put("/others/\(number)", [UInt8](repeating: 0, count: 200_000))) == nil
                }
                // From now on etcd reports it to everybody.
                try eventually("not for small ones either") {
                    (try? etcd.client.put("/others/0", [0])) == nil
                }
                for round in 0..<3 {
                    try rest.expectUnavailable("kept", within: .seconds(5))
                    // This is longer than it takes to find out whether etcd answers, and longer than a lease.
                    let start = ContinuousClock.now
                    try eventually("time passes") { start.duration(to: .now) > .seconds(1.5) }
                    #expect(try rest.storage().health == "fail", "\(round)")
                }
                #expect(!nodes[0].logLines.contains { $0.contains("again") })
                heartbeats.stop()
                let others = Heartbeats(["kept"], at: nodes[0])
                try etcd.client.delete("/others/")
                try etcd.client.freeSpace()
                try nodes[0].waitForStorage("pass")
                try nodes[0].waitForLog("storage keeps changes again")
                try rest.register(Registration("new", "10.0.0.2", id: "new", ttl: 60))
                others.stop()
                watch.stop()
            }
        }

        @Test func `a node whose history is gone from etcd catches up`() async throws {
            let etcd = try EtcdProcess.started()
            let proxy = try TCPProxy(to: etcd.endpoint)
            try await withNodes([etcd.settings(proxy.endpoint, timeout: "1s"), etcd.settings()], toleratesErrors: true)
            { nodes in
                let other = try HTTPConnection(nodes[1].rest)
                for id in ["stays", "leaves", "changes"] {
                    try other.register(Registration(id, "10.0.0.1", id: id, ttl: 60))
                }
                for id in ["stays", "leaves", "changes"] { try nodes[0].waitForAddresses(id, ["10.0.0.1"]) }
                let watch = try DNSWatch(nodes[0], ["stays": ["10.0.0.1"]])
                for round in 1...3 {
                    proxy.set(.close)
                    try nodes[0].waitForStorage("fail")
                    try other.deregister("leaves")
                    try other.patch("changes", #"{"draining":true}"#)
                    try other.register(Registration("new-\(round)", "10.0.0.2", id: "new-\(round)", ttl: 60))
                    try etcd.client.compact()
                    proxy.set(.pass)
                    try nodes[0].waitForAddresses("new-\(round)", ["10.0.0.2"], within: .seconds(10))
                    try nodes[0].waitForAddresses("leaves", [])
                    try nodes[0].waitForAddresses("changes", [])
                    try nodes[0].waitForStorage("pass")
                    #expect(try HTTPConnection(nodes[0].rest).list() == other.list())
                    // The node watches again.
                    try other.register(Registration("leaves", "10.0.0.1", id: "leaves", ttl: 60))
                    try other.patch("changes", #"{"draining":false}"#)
                    try nodes[0].waitForAddresses("leaves", ["10.0.0.1"])
                    try nodes[0].waitForAddresses("changes", ["10.0.0.1"])
                }
                watch.stop()
            }
            proxy.stop()
        }
    }
}
