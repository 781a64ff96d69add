import Engine
import Testing

@testable import ControlPlane

/// The brake on mass expiry where leases in etcd end: what one node decides holds for all.
@Suite struct EtcdBrakeTests {
    private let etcd = ScriptedEtcd()
    private let prefix = "/kong-discovery/v1/services/orders/"

    private func lease(of id: String) -> Int64 { etcd.keys[prefix + id]?.lease ?? 0 }

    private func isHeld(_ id: String) -> Bool {
        guard let value = etcd.keys[prefix + id]?.value else { return false }
        return (try? StoredInstance.decode(value))?.isHeld ?? false
    }

    @Test func `most instances of a service are held on every node, or go when they are told`() async throws {
        let (one, two) = (ScriptedNode(etcd, brake: 0.5), ScriptedNode(etcd, brake: 0.5))
        let ids = (1...4).map { "i\($0)" }
        try await one.running { first in
            try await two.running { second in
                for id in ids { _ = try await first.register(.test(id, ip: "10.0.0.\(id.dropFirst())", ttl: 20)) }
                try await two.waits("both know") { two.addresses.count == 4 }
                // Nobody has heard from them any more.
                one.clock.advance(by: .seconds(21))
                two.clock.advance(by: .seconds(21))
                let leases = ids.map { lease(of: $0) }
                for lease in leases { etcd.end(lease: lease) }
                try await one.waits("they are held in etcd") { ids.allSatisfy(isHeld) }
                for node in [one, two] {
                    try await node.waits("they are held everywhere") {
                        ids.allSatisfy { node.registry.instance(id: $0)?.status == .warning }
                            && node.registry.brakes(ofService: "orders").count == 1
                    }
                    #expect(node.addresses.count == 4)
                }
                // A heartbeat at the other node ends it for its instance, on both.
                #expect(second.renew(id: "i1") != nil && second.instance(id: "i1")?.status == .passing)
                try await one.waits("it is told") { first.instance(id: "i1")?.status == .passing }
                #expect(!isHeld("i1") && isHeld("i2"))
                _ = try await second.deregister(id: "i2")
                #expect(etcd.keys[prefix + "i2"] == nil)
                #expect(try await first.release("orders") == 2)
                for node in [one, two] {
                    try await node.waits("they have gone") { node.addresses == ["10.0.0.1"] }
                    try await node.waits("it is over") { node.registry.brakes(ofService: "orders").isEmpty }
                }
            }
        }
    }

    @Test func `who is held goes when the second lease ends, and few that fall silent go at once`() async throws {
        let (one, two) = (ScriptedNode(etcd, brake: 0.5), ScriptedNode(etcd, brake: 0.5))
        let ids = (1...5).map { "i\($0)" }
        try await one.running { first in
            try await two.running { second in
                for id in ids { _ = try await first.register(.test(id, ip: "10.0.0.\(id.dropFirst())", ttl: 20)) }
                try await two.waits("both know") { two.addresses.count == 5 }
                one.clock.advance(by: .seconds(21))
                two.clock.advance(by: .seconds(21))
                for id in ["i1", "i2"] { etcd.end(lease: lease(of: id)) }
                for node in [one, two] { try await node.waits("two have gone") { node.addresses.count == 3 } }
                for id in ["i3", "i4", "i5"] { etcd.end(lease: lease(of: id)) }
                try await one.waits("three are held") { ["i3", "i4", "i5"].allSatisfy(isHeld) }
                for node in [one, two] {
                    try await node.waits("on both") {
                        node.registry.store.view.withTable { $0.held["orders"]?.count } == 3
                    }
                }
                one.clock.advance(by: .seconds(21))
                two.clock.advance(by: .seconds(21))
                for node in [one, two] {
                    try await node.waits("all have gone") {
                        // A write of the slower node may come after the end of a lease: that one's ends, too.
                        for id in ["i3", "i4", "i5"] where lease(of: id) != 0 { etcd.end(lease: lease(of: id)) }
                        return node.addresses.isEmpty
                    }
                }
                #expect(second.instance(id: "i3") == nil && etcd.keys[prefix + "i3"] == nil)
            }
        }
    }
}
