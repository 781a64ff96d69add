import Foundation
import Glibc
import Testing

extension StorageTests {
    /// Nodes that share one registry in etcd.
    @Suite struct EtcdTests {
        @Test func `what is changed at one node is seen at the other`() async throws {
            let etcd = try EtcdProcess.started()
            try await withNodes([etcd.settings(), etcd.settings()]) { nodes in
                let (a, b) = (nodes[0], nodes[1])
                let (restA, restB) = (try HTTPConnection(a.rest), try HTTPConnection(b.rest))
                let id = try restA.register(
                    Registration(
                        "orders", "10.0.0.1", port: 81, protocol: "udp", tags: ["blue"],
                        metadata: ["zone": "a \"\u{1F600}\""], weight: 7, priority: 3, ttl: 60, dnsTTL: 9)
                ).id
                try b.waitForAddresses("orders", ["10.0.0.1"])
                #expect(try b.ask("_orders._udp.service.kong", .srv).texts == ["3 1 81 0a000001.addr.service.kong"])
                #expect(try restB.list() == restA.list())

                try restB.patch(id, #"{"draining":true,"metadata":{"k":"v"}}"#)
                try a.waitForAddresses("orders", [])
                #expect(try restA.list() == restB.list())
                #expect(try restA.list().first?.status == "draining")
                // It is the same instance at any node, and still draining.
                let again = Registration("orders", "10.0.0.1", port: 81, protocol: "udp", ttl: 60)
                #expect(try restA.register(again).id == id)
                try restA.patch(id, #"{"draining":false}"#)
                try b.waitForAddresses("orders", ["10.0.0.1"])

                // It moves to another service, and leaves the first at once.
                try restB.register(Registration("moved", "10.0.0.2", id: id, ttl: 60))
                try a.waitForAddresses("moved", ["10.0.0.2"])
                try a.waitForAddresses("orders", [])
                try restA.deregister(id)
                try b.waitForAddresses("moved", [])
                #expect(try restB.list().isEmpty)
                #expect(try etcd.client.entries("/kong-discovery/v1/services/").isEmpty)
            }
        }

        @Test func `a key holds an instance on a lease of its ttl`() async throws {
            let etcd = try EtcdProcess.started()
            var settings = etcd.settings()
            settings["storage.etcd.prefix"] = "/other"
            try await withNodes([settings]) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                try rest.register(Registration("Orders", "10.0.0.1", id: "leased", tags: ["x"], ttl: 30))
                try rest.register(Registration("orders", "10.0.0.2", id: "permanent", ttl: 0))
                let entries = try etcd.client.entries("/other/v1/services/")
                #expect(
                    entries.map(\.key) == ["/other/v1/services/orders/leased", "/other/v1/services/orders/permanent"])
                let lease = try etcd.client.lease(entries[0].lease)
                #expect(lease.granted >= 30 && lease.granted <= 32 && lease.left > 25)
                #expect(lease.keys == [entries[0].key])
                #expect(entries[1].lease == 0)
                struct Value: Decodable {
                    var ip: String
                    var port: Int
                }
                for (entry, ip) in zip(entries, ["10.0.0.1", "10.0.0.2"]) {
                    let value = try JSONDecoder().decode(Value.self, from: Data(entry.value))
                    #expect(value.ip == ip && value.port == 80)
                }
                let storage = try rest.storage()
                #expect(storage.type == "etcd" && storage.health == "pass")
                #expect(storage.endpoint?.contains("\(etcd.endpoint)") == true)
                #expect(try storage.revision == etcd.client.status().revision)
                try rest.deregister("leased")
                // Its lease does not stay either.
                #expect(
                    try etcd.client.entries("/other/v1/services/").map(\.key) == ["/other/v1/services/orders/permanent"]
                )
                try eventually("the lease is revoked") { try etcd.client.lease(entries[0].lease).left == -1 }
            }
        }

        @Test func `a heartbeat at any node keeps an instance, and without one it leaves all`() async throws {
            let etcd = try EtcdProcess.started()
            try await withNodes([etcd.settings(), etcd.settings()]) { nodes in
                let rest = try nodes.map { try HTTPConnection($0.rest) }
                try rest[0].register(Registration("kept", "10.0.0.1", id: "kept", ttl: 2))
                try rest[0].register(Registration("lost", "10.0.0.2", id: "lost", ttl: 2))
                try nodes[1].waitForAddresses("lost", ["10.0.0.2"])
                try nodes[1].waitForAddresses("kept", ["10.0.0.1"])
                let start = ContinuousClock.now
                var gone: [Int: Duration] = [:]
                // This is three times its ttl, and longer if the machine is so busy that etcd seems to be away.
                while start.duration(to: .now) < .seconds(gone.count == 2 ? 6 : 15) {
                    #expect(try rest[1].heartbeat("kept") == 200)
                    for (number, node) in nodes.enumerated() {
                        let kept = try node.ask("kept.service.kong")
                        try #require(kept.texts == ["10.0.0.1"])
                        let isGone = try node.ask("lost.service.kong").code == .nameError
                        if isGone, gone[number] == nil { gone[number] = start.duration(to: .now) }
                    }
                    usleep(100_000)
                }
                for number in 0...1 {
                    let time = try #require(gone[number])
                    // It did not leave before its ttl, less the time that had passed when the test began to look.
                    #expect(time > .seconds(1), "\(number)")
                    #expect(try rest[number].list().map(\.id) == ["kept"])
                    #expect(try rest[number].heartbeat("lost") == 404)
                }
                #expect(try etcd.client.entries("/kong-discovery/v1/services/").count == 1)
            }
        }

        @Test func `what is acknowledged is in every next answer of the node that acknowledged it`() async throws {
            let etcd = try EtcdProcess.started()
            try await withNodes([etcd.settings(), etcd.settings()]) { nodes in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for client in 0..<6 {
                        group.addTask {
                            let node = nodes[client % 2]
                            let rest = try HTTPConnection(node.rest)
                            for round in 0..<15 {
                                let ip = "10.0.\(client).\(round)"
                                func expect(_ isThere: Bool, _ step: String) throws {
                                    for answer in try node.addresses("shared", times: 2) {
                                        try #require(answer.contains(ip) == isThere, "\(client), \(round): \(step)")
                                    }
                                }
                                let id = try rest.register(Registration("shared", ip, ttl: 60)).id
                                try expect(true, "registered")
                                try rest.patch(id, #"{"draining":true}"#)
                                try expect(false, "draining")
                                try rest.patch(id, #"{"draining":false}"#)
                                try expect(true, "not draining")
                                try rest.deregister(id)
                                try expect(false, "deregistered")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                for node in nodes { #expect(try HTTPConnection(node.rest).list().isEmpty) }
            }
        }

        @Test(arguments: [true, false])
        func `nodes that register the same instance at once end with one`(withID: Bool) async throws {
            let etcd = try EtcdProcess.started()
            try await withNodes([etcd.settings(), etcd.settings()]) { nodes in
                for round in 1...20 {
                    // The status for each client, and its answer.
                    let answers = try await withThrowingTaskGroup(of: HTTPConnection.Response.self) { group in
                        for client in 0..<4 {
                            group.addTask {
                                // With an id, it is the same instance with other values. Without one, the values are
                                // the same.
                                let ip = withID ? "10.0.\(round).\(client)" : "10.0.\(round).1"
                                let id = withID ? "id-\(round)" : nil
                                let registration = Registration("s\(round)", ip, id: id, ttl: 60)
                                return try HTTPConnection(nodes[client % 2].rest).request(
                                    "POST", "/api/v1/services", json(registration))
                            }
                        }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    // One client has created it, and the others have replaced it: its original values stay.
                    try #require(answers.map(\.status).sorted() == [200, 200, 200, 201], "round \(round)")
                    let instances = try answers.map { try $0.decoded(as: WholeInstance.self) }
                    let ids = Set(instances.map(\.id))
                    try #require(ids.count == 1, "round \(round)")
                    try #require(Set(instances.map(\.registeredAt)).count == 1, "round \(round)")
                    let entries = try etcd.client.entries("/kong-discovery/v1/services/s\(round)/")
                    try #require(entries.map(\.key) == ["/kong-discovery/v1/services/s\(round)/\(ids.first ?? "")"])
                    try eventually("both show the same, round \(round)") {
                        let lists = try nodes.map { node in
                            try HTTPConnection(node.rest).request("GET", "/api/v1/services?name=s\(round)").text
                                .replacing(/"(last_heartbeat|expires_at)":"[^"]*"/, with: "")
                        }
                        return lists[0] == lists[1] && lists[0].contains(ids.first ?? "?")
                    }
                    let addresses = try nodes.map { Set(try $0.ask("s\(round).service.kong").texts) }
                    #expect(addresses[0] == addresses[1] && addresses[0].count == 1)
                }
            }
        }
    }
}
