import Testing

@testable import ControlPlane

/// An instance that other nodes know under another name.
@Suite struct EtcdNameTests {
    private let etcd = ScriptedEtcd()
    private let node: ScriptedNode
    private let old = "/kong-discovery/v1/services/orders/i1"
    private let new = "/kong-discovery/v1/services/users/i1"
    /// What is stored under the new name.
    private let moved = StoredInstance.encode(.test(1, name: "users"))

    init() {
        node = ScriptedNode(etcd)
    }

    /// Registers the instance, and ends its lease.
    ///
    /// - Returns: when this is sent, the instance is written again.
    private func loseKey(_ registry: Registry) async throws -> Signal {
        _ = try await registry.register(.test("i1"))
        let late = Signal()
        etcd.follow { path, count in path == "kv/txn" && count == 0 ? .hold(until: late) : .answer }
        etcd.end(lease: try #require(etcd.keys[old]?.lease))
        try await node.waits("it is about to be written again") { etcd.calls.contains("kv/txn") }
        return late
    }

    @Test func `an instance that is registered under two names at once leaves the name that is older`() async throws {
        try await node.running { registry in
            let late = Signal()
            etcd.follow { path, count in path == "kv/txn" && count == 0 ? .hold(until: late) : .answer }
            async let outcome = registry.register(.test("i1", name: "orders"))
            try await node.waits("it is on its way") { etcd.calls.contains("kv/txn") }
            etcd.change { $0.put(new, moved) }
            try await node.waits("the other one is known") { !node.zone.addresses("users").isEmpty }
            late.send()
            _ = try await outcome
            #expect(node.zone.addresses("users").isEmpty)
            #expect(node.addresses == ["10.0.0.1"])
            try await node.waits("no key is left over") {
                etcd.keys.keys.filter { $0.contains("/services/") } == [old]
            }
        }
    }

    @Test func `an orphan is not restored over what was registered meanwhile under another name`() async throws {
        try await node.running { registry in
            let late = try await loseKey(registry)
            etcd.change { $0.put(new, moved) }
            late.send()
            try await node.waits("it has been written") { etcd.revision(of: old) > etcd.revision(of: new) }
            try await node.waits("it is gone again") { etcd.keys[old] == nil || etcd.keys[new] == nil }
            #expect(etcd.keys[new] != nil)
            try await node.waits("the node shows the new one") { node.zone.addresses("users") == ["10.0.0.1"] }
            #expect(node.addresses.isEmpty)
        }
    }

    @Test func `an instance that another node has moved leaves under its new name`() async throws {
        try await node.running { registry in
            _ = try await registry.register(.test("i1"))
            let lease = try #require(etcd.keys[old]?.lease)
            // The watch's reports to this node are late.
            etcd.holdWatch(true)
            etcd.change { [moved] model in
                let marker = EtcdTransaction.Operation.put(key: "/kong-discovery/v1/deregistered", value: [], lease: 0)
                _ = model.commit(
                    EtcdTransaction(success: [.delete(key: old), .put(key: new, value: moved, lease: lease), marker]))
            }
            etcd.follow { _, _ in .answer }
            async let outcome = registry.deregister(id: "i1")
            try await node.waits("it has been tried") { etcd.calls.contains("kv/txn") }
            etcd.holdWatch(false)
            #expect(try await outcome == .deregistered)
            #expect(etcd.keys.keys.allSatisfy { !$0.contains("/services/") })
        }
    }

    @Test func `an instance without a key that was registered anew under another name leaves under that`() async throws
    {
        try await node.running { registry in
            let late = try await loseKey(registry)
            // The watch's reports to this node are late.
            etcd.holdWatch(true)
            etcd.change { $0.put(new, moved) }
            async let outcome = registry.deregister(id: "i1")
            try await node.waits("it has been tried") { etcd.calls.count { $0 == "kv/txn" } == 2 }
            etcd.holdWatch(false)
            #expect(try await outcome == .deregistered)
            #expect(etcd.keys.keys.allSatisfy { !$0.contains("/services/") })
            late.send()
        }
    }
}
