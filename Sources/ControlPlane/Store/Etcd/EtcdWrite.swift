/// What is to become of an instance's key, if nobody has changed it meanwhile.
struct EtcdWrite: Sendable {
    var id: String
    /// The key that it has, and when it was changed last; `nil`: none that is known.
    var known: EtcdReplica.Entry?
    /// `nil`: it leaves.
    var instance: ServiceInstance?
    /// 0: none.
    var lease: Int64 = 0
    /// Whether the lease was granted for this: nothing else is on it.
    var isLeaseNew = false
    /// For what is written again without anybody having asked for it: up to which revision its writer knew everything.
    /// It counts as of then where the instance has another key too: what was registered since is newer.
    var asOf: Int64?
}

/// What became of an ``EtcdWrite``.
enum EtcdWriteResult: Sendable {
    case kept(revision: Int64)
    /// Somebody has changed it; what is there now is in the inbox.
    case conflict
    case unavailable(EtcdError)
}

/// An ``EtcdWrite`` that etcd has kept.
struct EtcdKeptWrite: Sendable {
    var write: EtcdWrite
    var revision: Int64
}

extension EtcdTransaction {
    /// Writes of different instances, all or none: none when any of them was changed by somebody since.
    ///
    /// - Parameters:
    ///   - values: what the instances are written as, empty for those that leave.
    ///   - limit: none also when anything was deregistered after that revision; `nil`: all the same.
    /// - Returns: also the keys that it asks for when it fails, in order.
    static func of(
        _ writes: some Sequence<EtcdWrite>, values: some Sequence<[UInt8]>, keys: EtcdKeyspace,
        ifNothingLeftAfter limit: Int64? = nil
    ) -> (transaction: EtcdTransaction, asked: [InstanceKey]) {
        var transaction = EtcdTransaction()
        var asked: [InstanceKey] = []
        // An instance that leaves while it has no key: no event would tell of it.
        var keyless: [InstanceKey] = []
        func expect(_ key: InstanceKey, _ revision: Int64) {
            transaction.conditions.append(Condition(key: keys.key(key), revision: revision))
            transaction.failure.append(.get(key: keys.key(key)))
            asked.append(key)
        }
        for (write, value) in zip(writes, values) {
            if let known = write.known {
                let key = InstanceKey(name: known.name, id: write.id)
                expect(key, known.revision)
                if write.instance?.name != known.name {
                    transaction.success.append(.delete(key: keys.key(key)))
                    if known.revision == 0 { keyless.append(key) }
                }
            }
            guard let instance = write.instance else { continue }
            let key = InstanceKey(name: instance.name, id: write.id)
            if write.known?.name != instance.name { expect(key, 0) }
            transaction.success.append(.put(key: keys.key(key), value: value, lease: write.lease))
        }
        if transaction.success.contains(where: \.isDeletion) {
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
