import Foundation
import Glibc
import Testing

extension StorageTests {
    /// During and after an outage of etcd, no instance with heartbeats is lost, and no name is empty in between.
    @Suite struct EtcdOutageTests {
        enum Outage: CaseIterable {
            /// Stopped as for an update, or by kill -9.
            case stopped, killed
            /// Frozen by SIGSTOP.
            case frozen
            /// Every answer comes too late.
            case slow
            /// Only one node is affected.
            case partitioned, refused
            /// etcd starts again with no data.
            case wiped

            /// Whether etcd and the other node continue.
            var hitsOneNode: Bool { self == .partitioned || self == .refused }
        }

        private static let kept: Set = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
        private static let ttl = 2

        @Test(arguments: Outage.allCases)
        func `etcd can be away for three ttls`(outage: Outage) async throws {
            let etcd = try EtcdProcess.started()
            let proxies = try (0..<2).map { _ in try TCPProxy(to: etcd.endpoint) }
            let settings = proxies.map { etcd.settings($0.endpoint, timeout: "1s") }
            try await withNodes(settings, toleratesErrors: true) { nodes in
                let rest = try nodes.map { try HTTPConnection($0.rest) }
                for ip in Self.kept { try rest[0].register(Registration("kept", ip, id: "kept-\(ip)", ttl: Self.ttl)) }
                try rest[1].register(Registration("single", "10.0.1.1", id: "single", ttl: Self.ttl))
                try rest[1].register(Registration("left", "10.0.1.2", id: "left", ttl: 60))
                try nodes[0].waitForAddresses("left", ["10.0.1.2"])
                try rest[0].deregister("left")
                try rest[0].register(Registration("silent", "10.0.1.3", id: "silent", ttl: Self.ttl))
                let ids = Self.kept.map { "kept-\($0)" } + ["single"]
                for node in nodes {
                    try node.waitForAddresses("kept", Self.kept)
                    try node.waitForAddresses("single", ["10.0.1.1"])
                    try node.waitForAddresses("left", [])
                }
                // The heartbeats go to any node, as through a load balancer.
                let heartbeats = nodes.map { node in Heartbeats(ids, at: node) }
                let watches = try nodes.map { try DNSWatch($0, ["kept": Self.kept, "single": ["10.0.1.1"]]) }

                let start = ContinuousClock.now
                try Self.begin(outage, etcd, proxies)
                let hit = outage.hitsOneNode ? [0] : [0, 1]
                for number in hit {
                    try rest[number].expectUnavailable("single", within: .seconds(2))
                    try nodes[number].waitForStorage("fail")
                    let storage = try rest[number].storage()
                    #expect(storage.problem?.isEmpty == false)
                    try eventually("its age grows") { try rest[number].storage().lag > storage.lag + 0.5 }
                    #expect(try rest[number].request("GET", "/api/v1/services?name=kept").status == 200)
                    #expect(try rest[number].request("GET", "/ready").text.contains(#""health":"fail""#))
                    #expect(try rest[number].request("GET", "/api/v1/health").text.contains(#""status":"warn""#))
                    // The writes are repeated later, as by an idle client. At the end the instance must be as if it had
                    // been there all the time.
                    try rest[number].expectUnavailable("single", within: .seconds(2))
                }
                if outage.hitsOneNode { try rest[1].register(Registration("new", "10.0.1.4", id: "new", ttl: 60)) }
                try eventually("three ttls are over") { start.duration(to: .now) > .seconds(3 * Self.ttl) }
                for watch in watches { try watch.waitForAnswers(50) }

                try Self.end(outage, etcd, proxies)
                for node in nodes { try node.waitForStorage("pass", within: .seconds(15)) }
                if outage.hitsOneNode { try nodes[0].waitForAddresses("new", ["10.0.1.4"]) }
                for (number, node) in nodes.enumerated() {
                    try eventually("writes work again") {
                        let body = json(Registration("after-\(number)", "10.0.1.5", id: "after-\(number)", ttl: 60))
                        return try rest[number].request("POST", "/api/v1/services", body).status < 300
                    }
                    try eventually("the silent one leaves") {
                        try node.ask("silent.service.kong").code == .nameError
                    }
                    #expect(try node.ask("left.service.kong").code == .nameError)
                }
                let returned = ContinuousClock.now
                try eventually("another ttl") { returned.duration(to: .now) > .seconds(Self.ttl) }
                for watch in watches { watch.stop() }
                for heartbeat in heartbeats { heartbeat.stop() }
                let keys = try etcd.client.entries("/kong-discovery/v1/services/").map {
                    $0.key.split(separator: "/").last.map(String.init) ?? ""
                }
                #expect(Set(keys).isSuperset(of: ids + ["after-0", "after-1"]))
                // A refused change may have been made: 503 says that it is not known to be kept.
                #expect(!keys.contains("left") && !keys.contains("silent"))
                try eventually("both have the same") { try rest[0].list() == rest[1].list() }
                #expect(try rest[0].list().map(\.id).sorted() == keys.sorted())
            }
            for proxy in proxies { proxy.stop() }
        }

        private static func begin(_ outage: Outage, _ etcd: EtcdProcess, _ proxies: [TCPProxy]) throws {
            switch outage {
            case .stopped: try etcd.stop()
            case .killed, .wiped: try etcd.kill()
            case .frozen: etcd.freeze()
            case .slow: for proxy in proxies { proxy.set(.delay(milliseconds: 1500)) }
            case .partitioned: proxies[0].set(.hold)
            case .refused: proxies[0].set(.close)
            }
        }

        private static func end(_ outage: Outage, _ etcd: EtcdProcess, _ proxies: [TCPProxy]) throws {
            switch outage {
            case .stopped, .killed: try etcd.start()
            case .wiped:
                try etcd.wipe()
                try etcd.start()
            case .frozen: etcd.thaw()
            case .slow, .partitioned, .refused: for proxy in proxies { proxy.set(.pass) }
            }
        }

        @Test func `etcd that comes and goes all the time loses no instance`() async throws {
            let etcd = try EtcdProcess.started()
            let proxy = try TCPProxy(to: etcd.endpoint)
            try await withNodes([etcd.settings(proxy.endpoint, timeout: "1s")], toleratesErrors: true) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                for ip in Self.kept { try rest.register(Registration("kept", ip, id: "kept-\(ip)", ttl: Self.ttl)) }
                let heartbeats = Heartbeats(Self.kept.map { "kept-\($0)" }, at: nodes[0])
                let watch = try DNSWatch(nodes[0], ["kept": Self.kept])
                for round in 0..<12 {
                    proxy.set([.hold, .close][round % 2])
                    usleep(400_000)
                    proxy.set(.pass)
                    usleep(UInt32(round % 3) * 200_000)
                }
                try nodes[0].waitForStorage("pass")
                try rest.register(Registration("after", "10.0.1.1", ttl: 60))
                watch.stop()
                heartbeats.stop()
                #expect(try etcd.client.entries("/kong-discovery/v1/services/kept/").count == Self.kept.count)
            }
            proxy.stop()
        }

        @Test func `SIGTERM while etcd is frozen ends a node with 0 in time`() async throws {
            let etcd = try EtcdProcess.started()
            try await withNodes([etcd.settings(timeout: "1s")], toleratesErrors: true) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                try rest.register(Registration("orders", "10.0.0.1", id: "a", ttl: 60))
                etcd.freeze()
                #expect(try rest.heartbeat("a") == 200)
                try rest.send("DELETE", "/api/v1/services/a")
                try nodes[0].stop()
                etcd.thaw()
            }
        }
    }
}
