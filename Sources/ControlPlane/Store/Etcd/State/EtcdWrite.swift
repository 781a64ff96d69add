/// The new state of an instance's key, if nobody has changed the key in the meantime.
struct EtcdWrite: Sendable {
    var id: String
    /// What is known of its present key; `nil`: nothing.
    var known: EtcdReplica.Entry?
    /// `nil`: it is deregistered.
    var instance: ServiceInstance?
    /// 0: none.
    var lease: Int64 = 0
    /// Whether the lease was granted for this write: no other key is on it.
    var isLeaseNew = false
    /// As of when it counts.
    var origin = StoredOrigin()

    /// Whether it deregisters an instance whose key is gone.
    var leavesWithoutKey: Bool { instance == nil && known.map { $0.revision == 0 && $0.latest > 0 } ?? false }
}

/// The result of an ``EtcdWrite``.
enum EtcdWriteResult: Sendable {
    case kept(revision: Int64)
    /// Somebody else has changed the key; what is there now is in the inbox.
    case conflict
    case unavailable(EtcdError)
}

/// An ``EtcdWrite`` that etcd has kept.
struct EtcdKeptWrite: Sendable {
    var write: EtcdWrite
    var revision: Int64
}

extension EtcdTransaction {
    /// Writes different instances, all or none: none if anybody has changed one of them since.
    ///
    /// - Parameters:
    ///   - values: the values of the instances, empty for those that are deregistered.
    ///   - limit: nothing is written if anything was deregistered after this revision; `nil`: no such limit.
    /// - Returns: also the keys that the transaction reads if it fails, in order.
    static func of(
        _ writes: some Sequence<EtcdWrite>, values: some Sequence<[UInt8]>, keys: EtcdKeyspace,
        ifNothingLeftAfter limit: Int64? = nil
    ) -> (transaction: EtcdTransaction, asked: [InstanceKey]) {
        var transaction = EtcdTransaction()
        var asked: [InstanceKey] = []
        // Instances deregistered while they have no key: no event would report that.
        var keyless: [InstanceKey] = []
        func expect(_ key: InstanceKey, _ revision: Int64) {
            transaction.conditions.append(Condition(key: keys.key(key), revision: revision))
            transaction.failure.append(.get(key: keys.key(key)))
            asked.append(key)
        }
        for (write, value) in zip(writes, values) {
            if let known = write.known { expect(InstanceKey(name: known.name, id: write.id), known.revision) }
            if let instance = write.instance {
                let key = InstanceKey(name: instance.name, id: write.id)
                if write.known?.name != instance.name { expect(key, 0) }
                transaction.success.append(.put(key: keys.key(key), value: value, lease: write.lease))
            }
            // After the new key of an instance that moves: whoever follows the events must not take it for gone in
            // between, and forget the heartbeats that it has heard.
            if let known = write.known, write.instance?.name != known.name {
                let key = InstanceKey(name: known.name, id: write.id)
                transaction.success.append(.delete(key: keys.key(key)))
                if known.revision == 0 { keyless.append(key) }
            }
        }
        // If an instance whose key is gone is changed, a restoration that was planned before must fail. Otherwise it
        // would undo the change if the key is gone again by the time that it is carried out.
        let changesOrphan = writes.contains { $0.instance != nil && $0.origin.asOf == nil && $0.known?.revision == 0 }
        if changesOrphan || transaction.success.contains(where: \.isDeletion) {
            let value = EtcdKeyspace.deregisteredValue(keyless)
            transaction.success.append(.put(key: keys.deregistered, value: value, lease: 0))
        }
        if let limit {
            transaction.conditions.append(Condition(key: keys.deregistered, revision: limit, isLimit: true))
        }
        return (transaction, asked)
    }
}

extension EtcdTransaction.Operation {
    fileprivate var isDeletion: Bool {
        if case .delete = self { true } else { false }
    }
}
