import Foundation
import Logging
import Synchronization
import Testing

@testable import ControlPlane

/// A node whose etcd answers when a test says so: then races between two nodes need no luck.
@Suite struct EtcdStoreTests {
    private let etcd = ScriptedEtcd()
    private let node: ScriptedNode

    init() {
        node = ScriptedNode(etcd)
    }

    @Test func `what others do while a group is written is not undone by its results`() async throws {
        try await node.running { registry in
            // There are two transactions; the answer to one of them is late.
            let late = Signal()
            etcd.follow { path, count in path == "kv/txn" && count == 1 ? .holdAnswer(until: late) : .answer }
            async let outcomes = registry.submit((0..<60).map { .register(.test("i\($0)", ip: "10.0.0.\($0)")) })
            try await node.waits("all is written") { etcd.keys.count { $0.key.contains("/services/") } == 60 }
            etcd.change { model in
                let key = "/kong-discovery/v1/services/orders/"
                _ = model.commit(
                    EtcdTransaction(success: [
                        .delete(key: key + "i0"), .put(key: "/kong-discovery/v1/deregistered", value: [], lease: 0),
                    ]))
                var drained = try? StoredInstance.decode(model.keys[key + "i1"]?.value ?? [])
                drained?.isDraining = true
                model.put(key + "i1", drained.map { StoredInstance.encode($0) } ?? [])
                // First by another node, then by this one.
                var weighted = try? StoredInstance.decode(model.keys[key + "i59"]?.value ?? [])
                weighted?.weight = 7
                model.put(key + "i59", weighted.map { StoredInstance.encode($0) } ?? [])
            }
            try await node.waits("the watch has told") {
                registry.instance(id: "i1")?.instance.isDraining == true
                    && registry.instance(id: "i59")?.instance.weight == 7
            }
            late.send()
            // Each was kept, and is reported as kept.
            let all = try await outcomes
            #expect(all.count == 60)
            for outcome in all {
                guard case .registered(_, isNew: true) = outcome else {
                    Issue.record("\(outcome)")
                    continue
                }
            }
            #expect(registry.instance(id: "i0") == nil)
            #expect(registry.instance(id: "i1")?.instance.isDraining == true)
            #expect(registry.instance(id: "i59")?.instance.weight == 7)
            #expect(Set(node.addresses) == Set((2..<60).map { "10.0.0.\($0)" }))
            // The node can continue from what is there.
            _ = try await registry.patch(id: "i1", InstancePatch(isDraining: false))
            #expect(Set(node.addresses) == Set((1..<60).map { "10.0.0.\($0)" }))
            #expect(registry.renew(id: "i0") == nil)
        }
    }

    @Test func `an orphan is not restored over what came meanwhile`() async throws {
        try await node.running { registry in
            _ = try await registry.register(.test("i1"))
            let key = "/kong-discovery/v1/services/orders/i1"
            let lease = try #require(etcd.keys[key]?.lease)
            // The node is about to write it again, but another one has, with other values.
            let late = Signal()
            etcd.follow { path, count in path == "lease/grant" && count == 0 ? .holdAnswer(until: late) : .answer }
            etcd.end(lease: lease)
            try await node.waits("it is to be written again") { etcd.calls.contains("lease/grant") }
            etcd.change { $0.put(key, StoredInstance.encode(.test(1, weight: 7))) }
            late.send()
            try await node.waits("it is known here") { registry.instance(id: "i1")?.instance.weight == 7 }
            _ = try await registry.register(.test("i2"))
            #expect(registry.instance(id: "i1")?.instance.weight == 7)
            #expect((try? StoredInstance.decode(etcd.keys[key]?.value ?? []))?.weight == 7)
        }
    }

    @Test func `an orphan that was deregistered elsewhere while it was written again is gone`() async throws {
        try await node.running { registry in
            _ = try await registry.register(.test("i1"))
            let key = "/kong-discovery/v1/services/orders/i1"
            let late = Signal()
            etcd.follow { path, count in path == "kv/txn" && count == 0 ? .holdAnswer(until: late) : .answer }
            etcd.end(lease: try #require(etcd.keys[key]?.lease))
            try await node.waits("it is written again") { etcd.keys[key] != nil }
            etcd.change { model in
                let marker = EtcdTransaction.Operation.put(key: "/kong-discovery/v1/deregistered", value: [], lease: 0)
                _ = model.commit(EtcdTransaction(success: [.delete(key: key), marker]))
            }
            try await node.waits("that is known here") { registry.instance(id: "i1") == nil }
            late.send()
            _ = try await registry.register(.test("i2", ip: "10.0.0.2"))
            try await node.waits("the node has gone on") { etcd.calls.count { $0 == "kv/range" } > 3 }
            #expect(registry.instance(id: "i1") == nil)
            #expect(node.addresses == ["10.0.0.2"])
        }
    }

    @Test func `what is deleted beside a deregistration is not meant by it`() async throws {
        try await node.running { registry in
            _ = try await registry.submit((1...2).map { .register(.test("i\($0)", ip: "10.0.0.\($0)")) })
            // One message of the watch for both.
            etcd.holdWatch(true)
            let keys = (1...2).map { "/kong-discovery/v1/services/orders/i\($0)" }
            let lease = try #require(etcd.keys[keys[1]]?.lease)
            etcd.change { model in
                let marker = EtcdTransaction.Operation.put(key: "/kong-discovery/v1/deregistered", value: [], lease: 0)
                _ = model.commit(EtcdTransaction(success: [.delete(key: keys[0]), marker]))
            }
            etcd.end(lease: lease)
            etcd.holdWatch(false)
            try await node.waits("the one that is alive is written again") { etcd.keys[keys[1]] != nil }
            #expect(registry.instance(id: "i1") == nil)
            #expect(registry.instance(id: "i2") != nil)
        }
    }

    @Test func `a key that is deleted by hand is not written again`() async throws {
        try await node.running { registry in
            _ = try await registry.submit((1...2).map { .register(.test("i\($0)", ip: "10.0.0.\($0)")) })
            etcd.change { $0.delete(["/kong-discovery/v1/services/orders/i1"]) }
            try await node.waits("it leaves") { registry.instance(id: "i1") == nil && node.addresses == ["10.0.0.2"] }
            try await node.waits("its lease is given back") { etcd.leases.count == 1 }
            #expect(etcd.keys["/kong-discovery/v1/services/orders/i1"] == nil)
        }
    }

    @Test func `the result of a check brings no instance back that was deregistered elsewhere`() async throws {
        try await node.running { registry in
            var registration = Registration.test("i1")
            registration.checks = [.test("c")]
            _ = try await registry.register(registration)
            let key = "/kong-discovery/v1/services/orders/i1"
            // The watch's reports to this node are late.
            etcd.holdWatch(true)
            etcd.change { model in
                let marker = EtcdTransaction.Operation.put(key: "/kong-discovery/v1/deregistered", value: [], lease: 0)
                _ = model.commit(EtcdTransaction(success: [.delete(key: key), marker]))
            }
            let report = CheckReport(name: "c", status: .critical, time: WallTime(millisecondsSince1970: 2000))
            guard case .reported(let reported) = try await registry.report(id: "i1", report) else {
                Issue.record("it is unknown already")
                return
            }
            // DNS need not wait for etcd to leave it out.
            #expect(reported.status == .critical && etcd.keys[key] == nil)
            etcd.holdWatch(false)
            try await node.waits("it leaves") { registry.instance(id: "i1") == nil }
            #expect(etcd.revision(of: key) < etcd.revision && etcd.keys[key] == nil)
        }
    }

    // MARK: Leases

    @Test func `a request that arrives once more later does nothing`() async throws {
        try await node.running { registry in
            let requests = Mutex<[String]>([])
            etcd.watchRequests { path, body in
                if path == "kv/txn" { requests.withLock { $0.append(body) } }
            }
            // With no ttl, so that no ended lease keeps it from being written again.
            _ = try await registry.register(.test("i1", ttl: 0))
            _ = try await registry.deregister(id: "i1")
            for request in requests.withLock({ $0 }) {
                _ = try await etcd.answer("kv/txn", Array(request.utf8), within: .seconds(1))
            }
            #expect(etcd.keys["/kong-discovery/v1/services/orders/i1"] == nil)
            // The changed fence keeps nobody out.
            _ = try await registry.register(.test("i1", ttl: 0))
            #expect(etcd.keys["/kong-discovery/v1/services/orders/i1"] != nil)
        }
    }

    @Test func `leases of writes that were not kept are given back`() async throws {
        try await node.running { registry in
            // Another node is faster, ten times.
            etcd.follow { [etcd] path, _ in
                if path == "kv/txn" {
                    etcd.change {
                        let number = $0.revision % 100
                        let other = ServiceInstance.test(1, weight: UInt16(number), ttl: Int(number) + 1)
                        $0.put("/kong-discovery/v1/services/orders/i1", StoredInstance.encode(other))
                    }
                }
                return .answer
            }
            await #expect(throws: RegistryError.self) { try await registry.register(.test("i1", ttl: 60)) }
            #expect(etcd.calls.count { $0 == "lease/grant" } == 10)
            try await node.waits("all leases are given back") { etcd.leases.isEmpty }
        }
    }

    @Test func `a lease is not given back that is in use though the answer was lost`() async throws {
        try await node.running { registry in
            etcd.follow { path, count in path == "kv/txn" ? (count == 0 ? .loseAnswer : .refuse) : .answer }
            await #expect(throws: RegistryError.self) { try await registry.register(.test("i1")) }
            try await node.waits("the watch has told of it") { registry.instance(id: "i1") != nil }
            try await node.waits("etcd answers again") { registry.storeState.isHealthy }
            await #expect(throws: RegistryError.self) { try await registry.register(.test("i2")) }
            #expect(etcd.leases.count == 2)
            try await node.waits("etcd answers again") { registry.storeState.isHealthy }
            node.clock.advance(by: .seconds(20))
            try await node.waits("the one that is not used is given back") { etcd.leases.count == 1 }
            let value = try #require(etcd.keys["/kong-discovery/v1/services/orders/i1"])
            #expect(etcd.leases == [value.lease])
        }
    }

    @Test func `a lease is not given back that is in use though the second answer says that nothing was kept`()
        async throws
    {
        try await node.running { registry in
            etcd.follow { path, count in path == "kv/txn" && count == 0 ? .doTwice : .answer }
            _ = try await registry.register(.test("i1", ttl: 60))
            try await node.waits("the lease is looked at, or given back") {
                etcd.calls.contains { $0 == "lease/timetolive" || $0 == "lease/revoke" }
            }
            _ = try await registry.register(.test("i2", ttl: 60))
            #expect(!etcd.calls.contains("lease/revoke"))
            let value = try #require(etcd.keys["/kong-discovery/v1/services/orders/i1"])
            #expect(etcd.leases.count == 2 && etcd.leases.contains(value.lease))
        }
    }

    @Test func `of several leases that are asked for none is kept when one can't be had`() async throws {
        try await node.running { registry in
            etcd.follow { path, count in path == "lease/grant" && count == 3 ? .refuse : .answer }
            await #expect(throws: RegistryError.self) {
                try await registry.submit((1...5).map { .register(.test("i\($0)")) })
            }
            #expect(etcd.keys.keys.allSatisfy { !$0.contains("/services/") })
            try await node.waits("all are given back") { etcd.leases.isEmpty }
        }
    }

    @Test func `a lease that has ended unnoticed is replaced, and the others are kept`() async throws {
        try await node.running { registry in
            _ = try await registry.submit((1...3).map { .register(.test("i\($0)", ip: "10.0.0.\($0)")) })
            let before = etcd.leases
            let lease = try #require(etcd.keys["/kong-discovery/v1/services/orders/i1"]?.lease)
            etcd.holdWatch(true)
            etcd.end(lease: lease)
            // A change that renews no lease finds out when it is written.
            let patches = (1...3).map { RegistryCommand.patch(id: "i\($0)", InstancePatch(weight: 7)) }
            _ = try await registry.submit(patches)
            etcd.holdWatch(false)
            #expect(etcd.keys.count { $0.key.contains("/services/") } == 3)
            #expect(before.subtracting([lease]).isSubset(of: etcd.leases))
            try await node.waits("what was granted in vain is given back") { etcd.leases.count == 3 }
            #expect(before.subtracting([lease]).isSubset(of: etcd.leases))
        }
    }

    @Test func `heartbeats are sent again when passing them on has failed`() async throws {
        try await node.running { registry in
            _ = try await registry.register(.test("i1"))
            etcd.follow { path, count in path == "lease/keepalive" && count == 0 ? .refuse : .answer }
            #expect(registry.renew(id: "i1") != nil)
            // No other heartbeat is sent.
            try await node.waits("it is passed on all the same") { etcd.calls.count { $0 == "lease/keepalive" } == 2 }
        }
    }

    // MARK: Reading

    @Test func `all pages are of one revision`() async throws {
        for number in 1...1200 {
            let instance = ServiceInstance.test(UInt64(number), ip: "10.0.\(number >> 8).\(number & 255)", ttl: 0)
            etcd.change { $0.put("/kong-discovery/v1/services/orders/\(instance.id)", StoredInstance.encode(instance)) }
        }
        let asked = Note<[String]>([])
        etcd.watchRequests { path, body in
            if path == "kv/range", body.contains("range_end") { asked.change { $0.append(body) } }
        }
        try await node.running { registry in
            #expect(registry.instance(id: "i1200") != nil)
            #expect(node.store.view.withTable { $0.count } == 1200)
        }
        let revisions = asked.value.map { $0.firstMatch(of: /"revision":"(\d+)"/)?.1 ?? "none" }
        #expect(revisions.first == "0" && revisions.count == 3)
        #expect(Set(revisions.dropFirst()).count == 1 && revisions.last != "0")
    }

    @Test func `an instance that is never to expire from now on does not, at the node that hears it`() async throws {
        try await node.running { registry in
            _ = try await registry.register(.test("i1", ttl: 2))
            let permanent = ServiceInstance.test(1, ttl: 0)
            etcd.change { $0.put("/kong-discovery/v1/services/orders/i1", StoredInstance.encode(permanent)) }
            try await node.waits("that is known") { registry.instance(id: "i1")?.instance.ttlSeconds == 0 }
            #expect(registry.instance(id: "i1")?.lease.expiresAt == nil)
            #expect(registry.instance(id: "i1")?.lease.deadline == nil)
        }
    }

    @Test func `an etcd that has lost its data while a group was written says that it was not kept`() async throws {
        try await node.running { registry in
            _ = try await registry.register(.test("before"))
            let late = Signal()
            etcd.follow { path, count in path == "kv/txn" && count == 0 ? .holdAnswer(until: late) : .answer }
            let registering = Task { try await registry.register(.test("i1")) }
            try await node.waits("it is written") { etcd.keys["/kong-discovery/v1/services/orders/i1"] != nil }
            etcd.wipe()
            try await node.waits("the rest is written again") {
                etcd.keys["/kong-discovery/v1/services/orders/before"] != nil
            }
            late.send()
            await #expect(throws: RegistryError.self) { try await registering.value }
            _ = try await registry.register(.test("i1"))
            #expect(etcd.keys["/kong-discovery/v1/services/orders/i1"] != nil)
        }
    }

    @Test func `a node that starts from a snapshot gives all of it back to an etcd that has lost its data`()
        async throws
    {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kong-discovery-\(UUID())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "snapshot").path
        let first = ScriptedNode(etcd, snapshot: path)
        try await first.running { registry in
            _ = try await registry.submit([
                .register(.test("i1", ip: "10.0.0.1")), .register(.test("i2", ip: "10.0.0.2", ttl: 0)),
            ])
        }
        // Another etcd, which does not answer yet.
        let other = ScriptedEtcd()
        other.follow { _, _ in .refuse }
        let second = ScriptedNode(other, snapshot: path)
        try await second.registry.load()
        #expect(Set(second.addresses) == ["10.0.0.1", "10.0.0.2"])
        other.follow { _, _ in .answer }
        async let running: Void = second.registry.run()
        try await second.waits("they are written again") { other.keys.count { $0.key.contains("/services/") } == 2 }
        #expect(Set(second.addresses) == ["10.0.0.1", "10.0.0.2"])
        second.registry.stop()
        await running
    }

    @Test func `that storage keeps changes again is told, though nobody changes anything`() async throws {
        let log = Note<[String]>([])
        let node = ScriptedNode(etcd, log: log)
        try await node.running { registry in
            etcd.follow { path, _ in path == "kv/txn" ? .refuse : .answer }
            await #expect(throws: RegistryError.self) { try await registry.register(.test("i1")) }
            #expect(log.value.contains("changes can't be stored, writes are answered 503"))
            etcd.follow { _, _ in .answer }
            try await node.waits("it is told") { log.value.contains("storage keeps changes again") }
        }
    }

    @Test func `an etcd that answers and has no space keeps changes again when it has, and not before`() async throws {
        let log = Note<[String]>([])
        let node = ScriptedNode(etcd, log: log)
        try await node.running { registry in
            _ = try await registry.register(.test("i1"))
            etcd.follow { path, _ in ["kv/txn", "kv/put", "lease/grant"].contains(path) ? .denySpace : .answer }
            for _ in 0..<3 {
                await #expect(throws: RegistryError.self) { try await registry.register(.test("i2")) }
                let tries = etcd.calls.count { $0 == "kv/put" }
                try await node.waits("it is tried again") { etcd.calls.count { $0 == "kv/put" } > tries + 1 }
                #expect(!registry.storeState.isHealthy)
            }
            #expect(log.value.count { $0 == "etcd refuses changes" } == 1)
            #expect(!log.value.contains { $0.contains("again") } && !log.value.contains("etcd does not answer"))
            // Leases are renewed nevertheless.
            #expect(registry.renew(id: "i1") != nil)
            try await node.waits("the heartbeat is passed on") { etcd.calls.contains("lease/keepalive") }
            etcd.follow { _, _ in .answer }
            try await node.waits("it is told") { log.value.contains("storage keeps changes again") }
            #expect(registry.storeState.isHealthy)
            _ = try await registry.register(.test("i2"))
        }
    }

    // MARK: The watch

    @Test func `a watch that tells nothing any more is made anew`() async throws {
        try await node.running { registry in
            #expect(etcd.watchCount == 1)
            etcd.swallowWatches()
            etcd.change { $0.put("/kong-discovery/v1/services/orders/i1", StoredInstance.encode(.test(1))) }
            try await node.waits("what others have done is here", within: .seconds(10)) {
                registry.instance(id: "i1") != nil
            }
            #expect(etcd.watchCount == 2)
        }
    }

    @Test func `a watch that does not begin in time is made anew`() async throws {
        try await node.running { registry in
            etcd.silenceNextWatch()
            try await node.waits("the next one is asked for") { etcd.watchCount == 2 }
            etcd.change { $0.put("/kong-discovery/v1/services/orders/i1", StoredInstance.encode(.test(1))) }
            try await node.waits("what others have done is here", within: .seconds(20)) {
                registry.instance(id: "i1") != nil
            }
            #expect(etcd.watchCount == 3)
        }
    }

    @Test func `keys of others are no reason to make a watch anew`() async throws {
        try await node.running { registry in
            _ = try await registry.register(.test("i1"))
            for round in 1...3 {
                etcd.change { $0.put("/others/\(round)", []) }
                let revision = etcd.revision
                // It is tested with a key of ours; its report of that goes beyond the changes of others.
                try await node.waits("the watch has passed") {
                    registry.storeState.details.contains { detail in
                        guard detail.name == "revision", case .number(let number) = detail.value else { return false }
                        return number > revision
                    }
                }
            }
            #expect(etcd.watchCount == 1)
        }
    }
}
