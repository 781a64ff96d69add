import Testing

@testable import ControlPlane

/// The transactions of writes.
struct EtcdWriteTests {
    private let keys = EtcdKeyspace(prefix: "/x")

    /// Whether other nodes' restorations that were planned before fail after a transaction of this write.
    private func endsRestorations(_ write: EtcdWrite) -> Bool {
        EtcdTransaction.of([write], values: [[]], keys: keys).transaction.success.contains { operation in
            if case .put(let key, _, _) = operation { key == keys.deregistered } else { false }
        }
    }

    @Test func `whoever deregisters, moves, or changes an instance without a key ends restorations planned before`() {
        let instance = ServiceInstance.test(1)
        func write(known revision: Int64?, name: String? = nil, _ instance: ServiceInstance?, asOf: Int64? = nil)
            -> Bool
        {
            let known = revision.map { EtcdReplica.Entry(name: name ?? "orders", revision: $0, lease: 0) }
            return endsRestorations(
                EtcdWrite(id: "i1", known: known, instance: instance, origin: StoredOrigin(asOf: asOf)))
        }
        #expect(write(known: 5, nil) && write(known: 0, nil))
        #expect(write(known: 5, name: "other", instance))
        // Its key may be gone once more before a restoration is carried out, which would undo the change.
        #expect(write(known: 0, instance))
        #expect(!write(known: 0, instance, asOf: 4), "it is a restoration itself")
        #expect(!write(known: 5, instance) && !write(known: nil, instance))
    }

    @Test func `what expects a key to be missing needs a fence, and what replaces a revision does not`() {
        let known = EtcdReplica.Entry(name: "orders", revision: 5, lease: 9)
        var orphan = known
        orphan.revision = 0
        func isRepeatable(_ known: EtcdReplica.Entry?, _ instance: ServiceInstance?) -> Bool {
            EtcdTransaction.of(
                [EtcdWrite(id: "i1", known: known, instance: instance)], values: [[]], keys: keys,
                ifNothingLeftAfter: 0
            ).transaction.isRepeatable
        }
        #expect(isRepeatable(nil, .test(1)) && isRepeatable(orphan, .test(1)))
        #expect(isRepeatable(known, .test(1, name: "users")))
        // Carried out once more later, when its lease has ended again, it would take out what has come since.
        #expect(isRepeatable(orphan, nil))
        #expect(!isRepeatable(known, .test(1)) && !isRepeatable(known, nil))
    }

    @Test func `who follows an instance that moves sees it change its name, and not leave and come back`() {
        let known = EtcdReplica.Entry(name: "orders", revision: 5, lease: 9)
        let move = EtcdWrite(id: "i1", known: known, instance: .test(1, name: "users"))
        let (transaction, asked) = EtcdTransaction.of([move], values: [[]], keys: keys)
        let (old, new) = (InstanceKey(name: "orders", id: "i1"), InstanceKey(name: "users", id: "i1"))
        #expect(asked == [old, new])
        #expect(
            transaction.success == [
                .put(key: keys.key(new), value: [], lease: 0), .delete(key: keys.key(old)),
                .put(key: keys.deregistered, value: EtcdKeyspace.deregisteredValue([]), lease: 0),
            ])
        var replica = EtcdReplica()
        _ = replica.adopt(.changes([.put(old, .test(1), revision: 5, lease: 9)], revision: 5))
        let events: [EtcdChange] = [
            .put(new, .test(1, name: "users"), revision: 6, lease: 9),
            .delete(old, revision: 6, isDeliberate: true),
        ]
        #expect(replica.adopt(.changes(events, revision: 6)) == [.put(.test(1, name: "users"))])
        #expect(replica.strays.isEmpty)
    }
}
