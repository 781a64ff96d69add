import Foundation
import Logging
import Synchronization
import Testing

@testable import ControlPlane

extension StorageTests {
    /// Nodes that share a real etcd: each knows which of them are there.
    @Suite struct EtcdNodesTests {
        private let fixture: StoreFixture
        private let member: EtcdMember

        init() throws {
            fixture = try StoreFixture(.etcd)
            member = try #require(fixture.member)
        }

        @Test func `nodes join, and each instance is checked by one of them`() async throws {
            let first = try await SharingNode(fixture)
            try await first.waits("it is alone") { first.nodes?.all == [first.own] }
            let others = [try await SharingNode(fixture), try await SharingNode(fixture)]
            try await agree([first] + others)
            #expect(first.detail("nodes") == .number(3) && first.detail("node") == .text(first.own))
            #expect(first.store.view.withTable { $0.count } == 0 && first.detail("malformed_values") == .number(0))
            for node in [first] + others { await node.stop() }
        }

        @Test func `a node that is stopped is gone at once, and one that is killed when its lease ends`() async throws {
            let nodes = [
                try await SharingNode(fixture), try await SharingNode(fixture), try await SharingNode(fixture),
            ]
            try await agree(nodes)
            await nodes[0].stop()
            try await agree(Array(nodes[1...]))
            await nodes[1].kill()
            try await agree([nodes[2]])
            await nodes[2].stop()
        }

        @Test func `a node that is stopped before it has begun leaves nothing`() async throws {
            let node = try await SharingNode(fixture, begins: false)
            node.store.stop()
            await node.store.watchNodes { _ in Issue.record("it has been stopped") }
            await node.store.close()
            #expect(try await keys().isEmpty)
        }

        @Test(arguments: [false, true])
        func `while etcd is away the known nodes remain, and afterwards those that are there`(
            isEmpty: Bool
        ) async throws {
            let nodes = [
                try await SharingNode(fixture), try await SharingNode(fixture), try await SharingNode(fixture),
            ]
            try await agree(nodes)
            member.stop()
            for node in nodes {
                try await node.waits("it knows that etcd is away") { !node.store.state.isHealthy }
                #expect(node.nodes?.all.count == 3)
            }
            await nodes[2].kill()
            try member.start(isEmpty: isEmpty)
            try await agree(Array(nodes[..<2]))
            for node in nodes[..<2] { await node.stop() }
        }

        @Test func `a node whose lease has ended, or whose key somebody has taken, is back at once`() async throws {
            let nodes = [try await SharingNode(fixture), try await SharingNode(fixture)]
            try await agree(nodes)
            let client = try client()
            let keys = EtcdKeyspace(prefix: "/kong-discovery")
            // As after a pause.
            try await replaceLease(of: nodes[0], client)
            try await agree(nodes)
            for operation: EtcdTransaction.Operation in [
                .delete(key: keys.node(nodes[0].own)), .put(key: keys.node(nodes[0].own), value: [], lease: 0),
            ] {
                _ = try await client.call("kv/txn", EtcdMessage.transaction(EtcdTransaction(success: [operation])))
                try await agree(nodes)
                try await nodes[0].waits("its key is on its lease") {
                    try await leases()[nodes[0].own] == nodes[0].lease
                }
            }
            for node in nodes { await node.stop() }
        }

        @Test func `thousands of keys that others write cost nobody his share`() async throws {
            let nodes = [try await SharingNode(fixture), try await SharingNode(fixture)]
            try await agree(nodes)
            let client = try client()
            for start in 0..<40 {
                let junk = (0..<50).map { number in
                    EtcdTransaction.Operation.put(
                        key: "/kong-discovery/v1/nodes/z\(start * 50 + number)", value: [1], lease: 0)
                }
                _ = try await client.call("kv/txn", EtcdMessage.transaction(EtcdTransaction(success: junk)))
            }
            let third = try await SharingNode(fixture)
            try await agree(nodes + [third])
            #expect(third.detail("malformed_values") == .number(0))
            #expect(third.log.value.count { $0 == "keys of nodes in etcd are ignored" } == 1)
            for node in nodes + [third] { await node.stop() }
        }

        @Test func `nodes go on when authentication is enabled`() async throws {
            let nodes = [
                try await SharingNode(fixture), try await SharingNode(fixture), try await SharingNode(fixture),
            ]
            try await agree(nodes)
            let client = try client()
            for (call, body) in [
                ("auth/user/add", #"{"name":"root","password":"secret"}"#), ("auth/role/add", #"{"name":"root"}"#),
                ("auth/user/grant", #"{"user":"root","role":"root"}"#), ("auth/enable", "{}"),
            ] {
                _ = try await client.call(call, Array(body.utf8))
            }
            try await replaceLease(of: nodes[1], client)
            await nodes[0].stop()
            try await agree(Array(nodes[1...]))
            #expect(try await keys() == nodes[1...].map(\.own).sorted())
            for node in nodes[1...] { await node.stop() }
        }

        // MARK: What etcd has

        private func client() throws -> EtcdClient {
            var configuration = Configuration.Etcd()
            configuration.endpoints = [member.endpoint]
            (configuration.username, configuration.password) = ("root", "secret")
            return try EtcdClient(configuration)
        }

        /// The leases of the nodes' keys.
        private func leases() async throws -> [String: Int64] {
            let keys = EtcdKeyspace(prefix: "/kong-discovery")
            let client = try client()
            defer { client.shutdown() }
            let values = try await client.call("kv/range", EtcdMessage.keys(keys.nodes, limit: 1000)).values
            return values.reduce(into: [:]) { leases, value in
                if let node = keys.node(value.key) { leases[node] = value.lease }
            }
        }

        private func keys() async throws -> [String] { try await leases().keys.sorted() }

        /// Ends a node's lease, and waits until it has another one.
        private func replaceLease(of node: SharingNode, _ client: EtcdClient) async throws {
            let lease = node.lease
            do throws(EtcdError) {
                _ = try await client.call("lease/revoke", EtcdMessage.revoke(lease))
            } catch {
                // On a busy machine it may have ended by itself.
                if error.kind != .noSuchLease { throw error }
            }
            try await node.waits("it has another lease") { ![0, lease].contains(node.lease) }
        }

        /// Waits until some nodes know exactly each other: then each instance is one's.
        private func agree(_ nodes: [SharingNode]) async throws {
            let all = nodes.map(\.own).sorted()
            for node in nodes {
                // All at the same time: on a busy machine a lease may end at any moment.
                try await node.waits("it and the others know \(all.count) nodes") {
                    let known = nodes.map(\.nodes)
                    guard known.allSatisfy({ $0?.all == all }) else { return false }
                    for id in (0..<100).map({ "i\($0)" }) {
                        #expect(known.count { $0?.isOwner(of: id) ?? false } == 1)
                    }
                    return true
                }
            }
        }
    }
}

/// A node without a registry, which knows other nodes.
private final class SharingNode: Sendable {
    let store: EtcdStore
    let log = Note<[String]>([])
    private let known = Mutex<CheckerNodes?>(nil)
    private let task: Mutex<Task<Void, Never>?> = Mutex(nil)

    init(_ fixture: StoreFixture, begins: Bool = true) async throws {
        var configuration = Configuration.Etcd()
        configuration.endpoints = [try #require(fixture.member).endpoint]
        (configuration.username, configuration.password) = ("root", "secret")
        let log = log
        store = try EtcdStore(configuration, logger: Logger(label: "test") { _ in NotingLogHandler(note: log) })
        try await store.load(time: .system)
        if !begins { return }
        let running = Task { [self] in
            await withTaskGroup { group in
                group.addTask { [self] in await store.watch(time: .system) {} }
                group.addTask { [self] in await store.watchNodes { [self] nodes in known.withLock { $0 = nodes } } }
            }
        }
        task.withLock { $0 = running }
    }

    var own: String { store.nodeIdentity }
    var nodes: CheckerNodes? { known.withLock { $0 } }
    var lease: Int64 { store.membership.withLock { $0.lease } }

    func detail(_ name: String) -> StoreDetail.Value? { store.state.details.first { $0.name == name }?.value }

    /// Ends as a registry does.
    func stop() async {
        store.stop()
        await kill()
        await store.close()
    }

    /// Ends without a word to etcd.
    func kill() async {
        let running = task.withLock { $0.take() }
        running?.cancel()
        await running?.value
    }

    func waits(_ what: String, _ isSo: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while !(try await isSo()) {
            guard ContinuousClock.now < deadline else { throw ScriptedNode.NotInTime(description: what) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
