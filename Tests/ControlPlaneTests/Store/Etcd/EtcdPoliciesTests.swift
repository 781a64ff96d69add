import Synchronization
import Testing

@testable import ControlPlane

/// Policies in etcd: the newest revision holds, on every node.
@Suite struct EtcdPoliciesTests {
    private let old = ServicePolicy(dnsTTL: 1)
    private let new = ServicePolicy(dnsTTL: 2)
    private let key = "/kong-discovery/v1/policies/orders"

    private func value(_ policy: ServicePolicy) -> [UInt8] {
        StoredPolicy.encode(NamedPolicy(name: "orders", policy: policy))
    }

    @Test func `news is taken in by revision, in whatever order it comes`() {
        var policies = EtcdPolicies()
        func adopt(_ policy: ServicePolicy?, _ revision: Int64) -> Bool {
            policies.adopt(policy, of: "orders", revision: revision, isThere: policy != nil)
        }
        #expect(adopt(new, 5) && policies.keyRevision(of: "orders") == 5)
        #expect(!adopt(old, 3) && !adopt(nil, 4) && policies.policy(of: "orders") == new)
        // Removed here; the watch tells of what was before that later.
        #expect(adopt(nil, 9) && !adopt(old, 7) && policies.keyRevision(of: "orders") == 0)
        policies.caughtUp(to: 8)
        #expect(!adopt(old, 7))
        policies.caughtUp(to: 9)
        #expect(adopt(old, 10))
        // A complete state of before does not undo what is newer.
        #expect(policies.keep([], at: 9).isEmpty && policies.keep([], at: 10) == ["orders"])
        #expect(adopt(new, 12))
        policies.lose()
        #expect(policies.lost == ["orders"] && policies.keep([], at: 2).isEmpty)
        #expect(adopt(old, 3) && policies.lost.isEmpty)
    }

    @Test func `late news of a policy that is gone brings it back nowhere`() {
        var policies = EtcdPolicies()
        func adopt(_ policy: ServicePolicy?, _ revision: Int64) -> Bool {
            policies.adopt(policy, of: "orders", revision: revision, isThere: policy != nil)
        }
        #expect(adopt(new, 5) && adopt(nil, 6))
        policies.caughtUp(to: 6)
        // The answer to the request that has set it comes after the watch has told of its end.
        #expect(!adopt(new, 5) && policies.policy(of: "orders") == nil)
        #expect(adopt(old, 7))
    }

    @Test func `of two nodes that change a policy at once the later one wins everywhere`() async throws {
        let etcd = ScriptedEtcd()
        let (one, two) = (ScriptedNode(etcd), ScriptedNode(etcd))
        try await one.running { first in
            try await two.running { second in
                _ = try await first.setPolicy(old, of: "orders")
                try await two.waits("both know") { second.policy(of: "orders") == old }
                // One node's change is on its way, the other's comes first.
                let late = Signal()
                etcd.follow { path, number in path == "kv/txn" && number == 0 ? .hold(until: late) : .answer }
                async let third = first.setPolicy(ServicePolicy(dnsTTL: 3), of: "orders")
                try await one.waits("it is on its way") { etcd.calls.contains("kv/txn") }
                #expect(try await second.setPolicy(new, of: "orders") == .policySet)
                late.send()
                #expect(try await third == .policySet)
                #expect(first.policy(of: "orders")?.dnsTTL == 3)
                try await two.waits("both know the later one") { second.policy(of: "orders")?.dnsTTL == 3 }
                #expect(try await second.setPolicy(nil, of: "orders") == .policyRemoved)
                try await one.waits("it is gone") { first.policy(of: "orders") == nil }
                #expect(etcd.keys[key] == nil)
                // The request reaches etcd twice, and in between somebody else has changed it: see fences.
                etcd.follow { path, _ in path == "kv/txn" ? .doTwice : .answer }
                #expect(try await first.setPolicy(new, of: "orders") == .policySet)
                try await two.waits("both know it") { second.policy(of: "orders") == new }
            }
        }
    }

    @Test func `what happens while a node does not listen, malformed values, and a loss of all data`() async throws {
        let etcd = ScriptedEtcd()
        let node = ScriptedNode(etcd)
        try await node.running { registry in
            _ = try await registry.setPolicy(new, of: "orders")
            _ = try await registry.setPolicy(new, of: "users")
            etcd.change { $0.put(key, Array("{".utf8)) }
            try await node.waits("a malformed value is none") { registry.policy(of: "orders") == nil }
            #expect(node.store.malformed.count == 1)
            #expect(try await registry.setPolicy(old, of: "orders") == .policySet)
            #expect(node.store.malformed.count == 0 && registry.policy(of: "orders") == old)
            // The watch has lost its place: everything is read anew.
            etcd.swallowWatches()
            etcd.change { model in
                model.put(key, value(new))
                _ = model.commit(EtcdTransaction(success: [.delete(key: "/kong-discovery/v1/policies/users")]))
            }
            node.store.session.withLock { $0.losePosition() }
            try await node.waits("all is known") {
                registry.policy(of: "orders") == new && registry.policy(of: "users") == nil
            }
        }
    }

    @Test func `policies are written again to an etcd that has lost its data, and are in the snapshot`() async throws {
        let etcd = ScriptedEtcd()
        let file = try TemporaryFile("")
        let node = ScriptedNode(etcd, snapshot: file.path)
        try await node.running { registry in
            _ = try await registry.setPolicy(new, of: "orders")
            etcd.wipe()
            try await node.waits("it is written again") { etcd.keys[key]?.value == value(new) }
            #expect(registry.policy(of: "orders") == new)
            #expect(try await registry.setPolicy(old, of: "orders") == .policySet)
        }
        let snapshot = EtcdSnapshot(DiskFile(path: file.path))
        #expect(try snapshot.load()?.policies == [NamedPolicy(name: "orders", policy: old)])
    }
}
