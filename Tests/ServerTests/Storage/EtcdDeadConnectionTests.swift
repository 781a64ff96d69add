import Foundation
import Glibc
import Testing

extension StorageTests {
    /// Connections that accept everything and lead nowhere: there is no error, no end, and every octet is acknowledged.
    @Suite struct EtcdDeadConnectionTests {
        @Test func `a dead watch is noticed, and until then no status says that all is well`() async throws {
            let etcd = try EtcdProcess.started()
            let proxy = try TCPProxy(to: etcd.endpoint)
            try await withNodes([etcd.settings(proxy.endpoint), etcd.settings()], toleratesErrors: true) { nodes in
                let (rest, other) = (try HTTPConnection(nodes[0].rest), try HTTPConnection(nodes[1].rest))
                try rest.register(Registration("orders", "10.0.0.1", id: "a", ttl: 60))
                for round in 1...2 {
                    try eventually("all is well") { try rest.storage().health == "pass" && rest.storage().lag == 0 }
                    #expect(proxy.swallowPresentConnections() > 0)
                    let start = ContinuousClock.now
                    try other.register(Registration("new-\(round)", "10.0.0.2", id: "new-\(round)", ttl: 60))
                    var greatestLag = 0.0
                    try eventually(within: .seconds(10), "what the other node has done is here") {
                        // First the reported state, then the real one: the report must not be good for long while the
                        // change is missing.
                        let lag = try rest.storage().lag
                        let isHere = try nodes[0].ask("new-\(round).service.kong").texts == ["10.0.0.2"]
                        let passed = start.duration(to: .now) / .seconds(1)
                        if !isHere { #expect(lag > passed - 1.5, "after \(passed) s") }
                        greatestLag = max(greatestLag, lag)
                        return isHere
                    }
                    #expect(greatestLag > 1)
                }
                try eventually("it is up to date again") {
                    try rest.storage().lag == 0 && rest.storage().health == "pass"
                }
                try eventually("writes work") {
                    try rest.request("POST", "/api/v1/services", json(Registration("w", "10.0.0.3", id: "w"))).status
                        < 300
                }
            }
            proxy.stop()
        }

        @Test func `instances with heartbeats stay when kept connections are dead`() async throws {
            let etcd = try EtcdProcess.started()
            let proxy = try TCPProxy(to: etcd.endpoint)
            try await withNodes([etcd.settings(proxy.endpoint), etcd.settings()], toleratesErrors: true) { nodes in
                let rest = try HTTPConnection(nodes[0].rest)
                let ids = (1...20).map { "i\($0)" }
                for (number, id) in ids.enumerated() {
                    try rest.register(Registration("kept", "10.0.0.\(number)", id: id, ttl: 12))
                }
                let addresses = Set(ids.indices.map { "10.0.0.\($0)" })
                try nodes[1].waitForAddresses("kept", addresses)
                let heartbeats = Heartbeats(ids, at: nodes[0])
                let watches = try nodes.map { try DNSWatch($0, ["kept": addresses]) }
                proxy.swallowPresentConnections()
                let start = ContinuousClock.now
                try eventually("heartbeats get through again") {
                    let lease = try etcd.client.entries("/kong-discovery/v1/services/kept/i1").first?.lease ?? 0
                    return try start.duration(to: .now) > .seconds(6) && etcd.client.lease(lease).left >= 11
                }
                for watch in watches { watch.stop() }
                heartbeats.stop()
            }
            proxy.stop()
        }
    }
}
