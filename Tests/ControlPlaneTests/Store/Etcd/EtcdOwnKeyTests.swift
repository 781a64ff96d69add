import Logging
import Synchronization
import Testing

@testable import ControlPlane

extension StorageTests {
    /// A node's key in an etcd that answers when a test says so. Leases there end only if the test ends them.
    @Suite struct EtcdOwnKeyTests {
        private let etcd = ScriptedEtcd()
        private let node: ScriptedNode
        private let log = Note<[String]>([])
        private let told = Note<[CheckerNodes]>([])

        init() {
            node = ScriptedNode(etcd, log: log)
        }

        private var key: String { "/kong-discovery/v1/nodes/\(node.store.nodeIdentity)" }

        /// Runs `body` while the node has its key, and then stops the node.
        private func running(_ body: () async throws -> Void) async throws {
            async let nodes: Void = node.store.watchNodes { [told] nodes in told.change { $0.append(nodes) } }
            do {
                try await node.running { _ in try await body() }
            } catch {
                node.store.stop()
                await nodes
                throw error
            }
            await nodes
        }

        @Test(arguments: [0, 1]) func `a node that ends gives its lease back, even if the first call is lost`(
            lostCount: Int
        ) async throws {
            try await running {
                try await node.waits("it has its key") { etcd.keys[key] != nil }
                etcd.follow { path, count in path == "lease/revoke" && count < lostCount ? .refuse : .answer }
            }
            #expect(etcd.leases.isEmpty && etcd.keys[key] == nil)
            #expect(told.value == [CheckerNodes(own: node.store.nodeIdentity, others: [])])
        }

        @Test(arguments: ["lease/grant", "kv/txn"])
        func `while etcd has no space the other nodes are known all the same`(
            path: String
        ) async throws {
            let other = EtcdMembership.identity(7)
            try await running {
                try await node.waits("it has its key") { etcd.keys[key] != nil }
                etcd.follow { called, _ in called == path ? .denySpace : .answer }
                etcd.end(lease: node.store.membership.withLock { $0.lease })
                let lease = etcd.grant(seconds: 2)
                etcd.change { $0.put("/kong-discovery/v1/nodes/\(other)", [], lease: lease) }
                try await node.waits("the other one is known") { told.value.last?.all.contains(other) ?? false }
                let tries = etcd.calls.count { $0 == path }
                try await node.waits("it is tried again") { etcd.calls.count { $0 == path } > tries + 2 }
                #expect(log.value.count { $0.hasPrefix("etcd refuses this node's key") } == 1)
                etcd.follow { _, _ in .answer }
                try await node.waits("it has its key") { etcd.keys[key] != nil }
                try await node.waits("it is told") { log.value.contains("etcd takes this node's key again") }
                etcd.end(lease: lease)
                try await node.waits("it is alone") { told.value.last?.all == [node.store.nodeIdentity] }
            }
        }

        @Test(arguments: ["lease/grant", "kv/txn", "kv/range", "lease/keepalive"])
        func `calls whose answers are lost leave one key, on a lease that is renewed`(path: String) async throws {
            etcd.follow { called, count in called == path && count < 3 ? .loseAnswer : .answer }
            try await running {
                try await node.waits("it is renewed") { etcd.calls.count { $0 == "lease/keepalive" } > 5 }
                let lease = node.store.membership.withLock { $0.lease }
                #expect(lease != 0 && etcd.keys[key]?.lease == lease)
                #expect(etcd.keys.keys.count { $0.contains("/nodes/") } == 1)
            }
        }

        @Test func `a lease that ends between two calls is replaced`() async throws {
            try await running {
                try await node.waits("it has its key") { etcd.keys[key] != nil }
                let late = Signal()
                // The lease is there when it is renewed, and gone when the key is to be written again.
                etcd.follow { path, count in path == "kv/txn" && count == 0 ? .hold(until: late) : .answer }
                let lease = node.store.membership.withLock { $0.lease }
                etcd.change { [key] in $0.delete([key]) }
                try await node.waits("the key is to be written") { etcd.calls.contains("kv/txn") }
                etcd.end(lease: lease)
                late.send()
                try await node.waits("it has another lease") {
                    etcd.keys[key].map { ![0, lease].contains($0.lease) } ?? false
                }
            }
        }

        @Test func `a key of a node is no malformed value, and says nothing about instances`() async throws {
            try await running {
                try await node.waits("it has its key") { etcd.keys[key] != nil }
                let revision = etcd.revision
                _ = try await node.registry.register(.test("i1"))
                try await node.waits("the watch has passed") {
                    node.store.session.withLock { $0.position.revision } > revision
                }
                #expect(node.store.malformed.count == 0)
                #expect(!log.value.contains("a value in etcd is skipped"))
            }
        }
    }
}
