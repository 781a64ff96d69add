import Foundation
import Testing

extension TimedTests {
    /// Server-sent events of a real server.
    @Suite struct EventTests {
        enum Storage: CaseIterable { case memory, sqlite, etcd }

        /// Changes of many kinds, one after the other.
        private struct Changes {
            var random = SeededGenerator(seed: 7)

            mutating func make(_ count: Int, at rest: HTTPConnection) throws {
                for _ in 0..<count {
                    let id = "i\(Int.random(in: 0..<12, using: &random))"
                    switch Int.random(in: 0..<11, using: &random) {
                    case 0...4: try rest.register(registration(id))
                    case 5: _ = try rest.request("DELETE", "/api/v1/services/\(id)")
                    case 6:
                        _ = try rest.request(
                            "PATCH", "/api/v1/services/\(id)", #"{"draining":\#(Bool.random(using: &random))}"#)
                    case 7:
                        _ = try rest.request(
                            "PATCH", "/api/v1/services/\(id)", #"{"tags":["blue"],"metadata":{"a":"b\n"}}"#)
                    case 8: _ = try rest.request("PATCH", "/api/v1/services/\(id)", #"{"tags":["red"],"weight":7}"#)
                    case 9:
                        let status = ["passing", "warning", "critical"].randomElement(using: &random) ?? ""
                        _ = try rest.request(
                            "PUT", "/api/v1/services/checked/checks/beat", #"{"status":"\#(status)","output":"x"}"#)
                    default:
                        let all = (0..<4).map { registration("b\($0)") }
                        _ = try rest.batch(register: all, deregister: ["b1", "b2"])
                    }
                }
            }

            private mutating func registration(_ id: String) -> Registration {
                Registration(
                    ["orders", "users"].randomElement(using: &random) ?? "",
                    "10.0.0.\(Int.random(in: 1...200, using: &random))",
                    id: id, tags: [["blue"], ["red", "blue"], []].randomElement(using: &random),
                    metadata: ["text": "\"\\\n\u{1F600}"], ttl: [0, 1, 60].randomElement(using: &random))
            }
        }

        /// A client with a filter, and the list that shows the same.
        private struct Pair {
            var follower: EventFollower
            var filter: String

            init(_ filter: String) {
                follower = EventFollower("snapshot=true&\(filter)")
                self.filter = filter
            }

            /// Waits until the client has what the list shows.
            func expectTheSame(_ rest: HTTPConnection, _ step: String) throws {
                var list: [String: NSDictionary] = [:]
                try eventually("\(step), \(filter): \(list) is \(follower.instances)") {
                    list = try rest.lasting(filter)
                    try follower.drain(within: 20)
                    return list == follower.instances
                }
            }
        }

        @Test(arguments: Storage.allCases)
        func `a client that applies the events has what the list shows, also after a restart`(
            storage: Storage
        ) async throws {
            let database = try Database()
            let etcd = storage == .etcd ? try EtcdProcess.started() : nil
            let settings =
                switch storage {
                case .memory: ["heartbeat.cleanup_interval": "200ms"]
                case .sqlite: database.settings
                case .etcd: etcd?.settings() ?? [:]
                }
            let pairs = ["", "name=orders", "tag=blue", "name=users&tag=red"].map { Pair($0) }
            var changes = Changes()
            for life in 0..<2 {
                try await withServer(settings) { server in
                    let rest = try HTTPConnection(server.rest)
                    let checked = #"{"id":"checked","name":"orders","ip":"10.0.0.1","port":1,"tags":["blue"],"ttl":0,"#
                    let check = #""checks":[{"name":"beat","type":"ttl","ttl":"1h"}]}"#
                    try #require(try rest.request("POST", "/api/v1/services", checked + check).status / 100 == 2)
                    for pair in pairs { try pair.follower.connect(to: server.rest) }
                    for round in 0..<6 {
                        try changes.make(30, at: rest)
                        // Some go in the middle, and come back with what they had last.
                        for (number, pair) in pairs.enumerated() where (number + round) % 2 == 0 {
                            try pair.follower.drain()
                            pair.follower.disconnect()
                        }
                        try changes.make(30, at: rest)
                        for (number, pair) in pairs.enumerated() where (number + round) % 2 == 0 {
                            try pair.follower.connect(to: server.rest)
                        }
                        for pair in pairs { try pair.expectTheSame(rest, "life \(life), round \(round)") }
                    }
                }
                for pair in pairs {
                    try pair.follower.waitForEnd()
                    #expect(pair.follower.lastID.contains("-"))
                }
            }
            // In its second life the server did not know what the first one had sent.
            try await withServer(settings) { server in
                let rest = try HTTPConnection(server.rest)
                for pair in pairs {
                    try pair.follower.connect(to: server.rest)
                    try pair.follower.drain { $0.contains { $0.name == "live" } }
                    #expect(pair.follower.events.first?.name == "reset")
                    try pair.expectTheSame(rest, "third life")
                }
            }
        }

        @Test func `events tell what happened and why, and an id only where a client can go on`() async throws {
            try await withServer(["heartbeat.cleanup_interval": "200ms"]) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1", id: "old"))
                let all = EventFollower("snapshot=true")
                try all.connect(to: server.rest)
                try all.drain { $0.last?.name == "live" }
                #expect(all.events.map(\.name) == ["instance", "live"])
                #expect(all.events.map(\.id.isEmpty) == [true, false])
                #expect(all.head.contains("200 OK") && all.head.contains("Content-Type: text/event-stream"))
                let blue = EventFollower("tag=Blue")
                try blue.connect(to: server.rest, version: "1.0")
                try blue.drain(within: 200)

                try rest.register(Registration("orders", "10.0.0.2", id: "x", tags: ["blue"], ttl: 0))
                try rest.patch("x", #"{"weight":5}"#)
                try rest.patch("x", #"{"draining":true}"#)
                try rest.patch("x", #"{"tags":["red"]}"#)
                try rest.patch("x", #"{"tags":["red","blue"]}"#)
                try rest.deregister("x")
                try rest.register(Registration("orders", "10.0.0.3", id: "y", ttl: 1))
                try all.drain { $0.last?.name == "expired" }
                #expect(
                    all.events.dropFirst(2).map(\.name) == [
                        "registered", "updated", "status", "updated", "updated", "deregistered", "registered",
                        "expired",
                    ])
                #expect(all.events.dropFirst(2).map(\.reason).dropLast().allSatisfy { $0 == "request" })
                #expect(all.events.last?.reason == "expired" && all.events.last?.instanceID == "y")
                #expect(all.events.dropFirst(2).compactMap { $0.data["index"] as? Int } == Array(2...9))
                try blue.drain { $0.last?.name == "deregistered" && $0.last?.reason == "request" }
                #expect(blue.head.hasPrefix("HTTP/1.0 200"))
                #expect(
                    blue.events.map(\.name) == [
                        "registered", "updated", "status", "deregistered", "registered", "deregistered",
                    ])
                #expect(blue.events[3].reason == "filter")
                let shown = try #require(all.events.first?.data)
                #expect(shown["sequence"] as? Int == 1 && shown["id_origin"] as? String == "given")
            }
        }

        @Test func `a snapshot has the policies, and those of one service if it is about that`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                for name in ["orders", "users"] {
                    let answer = try rest.request("PUT", "/api/v1/names/\(name)/policy", #"{"priorities":"all"}"#)
                    #expect(answer.status == 200)
                }
                for (query, names) in [("", ["orders", "users"]), ("&name=users", ["users"])] {
                    let follower = EventFollower("snapshot=true" + query)
                    try follower.connect(to: server.rest)
                    try follower.drain { $0.last?.name == "live" }
                    let policies = follower.events.filter { $0.name == "policy" }
                    #expect(policies.compactMap { $0.data["name"] as? String } == names)
                    #expect(
                        policies.allSatisfy { ($0.data["policy"] as? [String: Any])?["priorities"] as? String == "all" }
                    )
                }
            }
        }

        @Test func `a client that does not read is cut off, and gets all anew when it comes back`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let slow = EventFollower("snapshot=true")
                try slow.connect(to: server.rest)
                try slow.drain { $0.last?.name == "live" }
                let metadata = ["text": String(repeating: "x", count: 16_000)]
                // More than the feed keeps and the sockets hold.
                for round in 0..<6 {
                    let many = (0..<800).map {
                        Registration("orders", "10.0.\(round).1", port: 1 + $0, id: "i\($0)", metadata: metadata)
                    }
                    _ = try rest.batch(register: many)
                }
                try slow.waitForEnd()
                #expect(slow.events.last?.name == "lagged" || slow.wasReset)
                try slow.connect(to: server.rest)
                try slow.drain { $0.last?.name == "live" }
                #expect(slow.events.first?.name == "reset")
                #expect(try slow.instances == rest.lasting(""))
            }
        }

        @Test func `clients that wait for changes leave room for others, and a place is free when one goes`()
            async throws
        {
            try await withServer(["server.max_connections": "8"]) { server in
                let rest = try HTTPConnection(server.rest)
                var followers: [EventFollower] = []
                for _ in 0..<6 {
                    let follower = EventFollower("snapshot=true")
                    try follower.connect(to: server.rest)
                    try follower.drain { $0.last?.name == "live" }
                    followers.append(follower)
                }
                let refused = try HTTPConnection(server.rest).request("GET", "/api/v1/events")
                #expect(refused.status == 503 && refused.fields["retry-after"] != nil)
                #expect(try rest.request("GET", "/api/v1/services?index=0&wait=1m").status == 503)
                try rest.register(Registration("orders", "10.0.0.1"))
                followers.removeLast().disconnect()
                try eventually("a place is free") {
                    let follower = EventFollower("snapshot=true")
                    try follower.connect(to: server.rest)
                    try follower.drain { _ in !follower.head.isEmpty }
                    return follower.head.contains("200 OK")
                }
            }
        }
    }
}
