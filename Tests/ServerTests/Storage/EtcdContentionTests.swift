import Foundation
import Glibc
import Testing

extension StorageTests {
    /// Two nodes that change the same instances at once.
    @Suite struct EtcdContentionTests {
        @Test func `what another node does to a group that is being written is not undone`() async throws {
            let etcd = try EtcdProcess.started()
            // The node that writes the group is far from etcd, so it learns the result late.
            let proxy = try TCPProxy(to: etcd.endpoint)
            try await withNodes([etcd.settings(proxy.endpoint), etcd.settings()]) { nodes in
                let count = 4000
                let batch = (0..<count).map { Registration("group", "10.1.\($0 / 250).\($0 % 250)", id: "i\($0)") }
                let body = json(["register": batch])
                proxy.set(.delay(milliseconds: 300))
                let endpoint = nodes[0].rest
                let writing = Task.detached {
                    try HTTPConnection(endpoint).request("POST", "/api/v1/services/batch", body)
                }
                let other = try HTTPConnection(nodes[1].rest)
                try eventually("the other node has the first two") {
                    try other.request("GET", "/api/v1/services/i0").status == 200
                        && other.request("GET", "/api/v1/services/i1").status == 200
                }
                try other.deregister("i0")
                try other.patch("i1", #"{"draining":true}"#)
                let response = try await writing.value
                #expect(response.status == 200 && !response.text.contains(#""status":503"#))
                proxy.set(.pass)
                // The last change in the watch has arrived.
                try other.register(Registration("last", "10.9.9.9", id: "last", ttl: 60))
                try nodes[0].waitForAddresses("last", ["10.9.9.9"])
                for node in nodes {
                    let rest = try HTTPConnection(node.rest)
                    #expect(try rest.request("GET", "/api/v1/services/i0").status == 404)
                    #expect(try rest.request("GET", "/api/v1/services/i1").text.contains(#""status":"draining""#))
                    let answered = Set(try node.ask("group.service.kong", over: .tcp).texts)
                    #expect(!answered.contains("10.1.0.0") && !answered.contains("10.1.0.1"))
                    #expect(try rest.list().count == count)
                }
            }
            proxy.stop()
        }

        @Test func `registrations that get in each other's way leave no leases behind`() async throws {
            let etcd = try EtcdProcess.started()
            try await withNodes([etcd.settings(), etcd.settings()]) { nodes in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for client in 0..<6 {
                        group.addTask {
                            let rest = try HTTPConnection(nodes[client % 2].rest)
                            for round in 0..<50 {
                                // Each has another ttl, and so a lease of its own.
                                let registration = Registration(
                                    "contended", "10.0.0.1", id: "one", ttl: 1000 + client * 100 + round)
                                let status = try rest.request("POST", "/api/v1/services", json(registration)).status
                                try #require([200, 201, 503].contains(status))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                let entries = try etcd.client.entries("/kong-discovery/v1/services/")
                #expect(entries.count == 1)
                // Each node has one of its own.
                let nodes = try etcd.client.entries("/kong-discovery/v1/nodes/").map(\.lease)
                try eventually("one more lease is left; there are \((try? etcd.client.leases().count) ?? -1)") {
                    try etcd.client.leases().count == 1 + nodes.count
                }
                #expect(try Set(etcd.client.leases()) == Set(entries.map(\.lease) + nodes))
            }
        }

        @Test func `an instance whose key is deleted by other means leaves all nodes, although it has heartbeats`()
            async throws
        {
            let etcd = try EtcdProcess.started()
            try await withNodes([etcd.settings(), etcd.settings()]) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                try rest.register(Registration("orders", "10.0.0.1", id: "a", ttl: 3))
                try rest.register(Registration("orders", "10.0.0.2", id: "b", ttl: 60))
                try nodes[1].waitForAddresses("orders", ["10.0.0.1", "10.0.0.2"])
                #expect(try rest.heartbeat("a") == 200)
                try etcd.client.delete("/kong-discovery/v1/services/orders/a")
                for node in nodes { try node.waitForAddresses("orders", ["10.0.0.2"], within: .seconds(5)) }
                #expect(try rest.heartbeat("a") == 404)
                // It does not come back either: everything that might bring it back has had its turn several times by
                // now.
                let rounds = try (0..<20).map { _ in
                    usleep(100_000)
                    return try nodes.map { Set(try $0.ask("orders.service.kong").texts) }
                }
                #expect(rounds.allSatisfy { $0 == [["10.0.0.2"], ["10.0.0.2"]] })
                #expect(try etcd.client.entries("/kong-discovery/v1/services/").count == 1)
            }
        }

        @Test func `large values are written in smaller transactions`() async throws {
            let etcd = try EtcdProcess.started()
            try await withNodes([etcd.settings()]) { nodes in
                // Each octet takes six in JSON, so 50 of these are more than etcd accepts at once.
                let metadata = Dictionary(
                    uniqueKeysWithValues: (0..<15).map { ("k\($0)", String(repeating: "\u{1}", count: 1000)) })
                let batch = (0..<60).map { number in
                    Registration("large", "10.0.0.\(number)", id: "i\(number)", metadata: metadata, ttl: 60)
                }
                let rest = try HTTPConnection(nodes[0].rest)
                let response = try rest.request("POST", "/api/v1/services/batch", json(["register": batch]))
                #expect(response.status == 200 && !response.text.contains("503"), "\(response.text.prefix(300))")
                #expect(try etcd.client.entries("/kong-discovery/v1/services/").count == 60)
            }
        }
    }
}
