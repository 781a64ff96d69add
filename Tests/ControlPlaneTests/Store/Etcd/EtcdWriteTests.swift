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
}
