import Synchronization

/// What is to become of an instance's key, if nobody has changed it meanwhile.
struct EtcdWrite: Sendable {
    var id: String
    /// The key that it has, and when it was changed last; `nil`: none that is known.
    var known: EtcdReplica.Entry?
    /// `nil`: it leaves.
    var instance: ServiceInstance?
    /// 0: none.
    var lease: Int64 = 0
}

/// What became of an ``EtcdWrite``.
enum EtcdWriteResult: Sendable {
    case kept(revision: Int64)
    /// Somebody has changed it; what is there now is in the inbox.
    case conflict
    case unavailable(EtcdError)
}

extension EtcdStore {
    /// Instances in a transaction: two operations each at most, and etcd takes 128.
    private static let transactionLength = 50
    /// Octets of values in a transaction: a request may have 1.5 MiB.
    private static let transactionOctets = 512 * 1024
    /// Renewals in a request. The gateway reads requests while it writes answers, and Go's server takes no more of a
    /// body once it has begun to answer: all must be in what its JSON decoder reads first, 512 octets.
    private static let renewalLength = 16
    /// Requests of one kind under way at once.
    private static let concurrency = 16

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        // Without waiting for the time to be up: the next probe finds out whether etcd is back.
        if let problem = health.withLock({ $0.problem }) {
            return changes.map { _ in .unavailable(StoreUnavailable(reason: "etcd: \(problem)")) }
        }
        // Before any lease is granted: no lease ends before the deadline that is known here.
        let now = time.now()
        let (writes, renewed) = plan(changes)
        var ready: [EtcdWrite]
        do throws(EtcdError) {
            ready = try await withLeases(writes, renewed: renewed)
        } catch {
            note(error)
            return changes.map { _ in .unavailable(StoreUnavailable(reason: "etcd: \(error.reason)")) }
        }
        let outcomes = await write(ready)
        var results: [String: EtcdWriteResult] = [:]
        for (write, outcome) in zip(ready, outcomes) {
            results[write.id] = outcome
            settle(write, outcome)
        }
        var kept = view.apply(changes.filter { results[$0.id]?.isKept ?? true }, now: now)[...]
        return changes.map { change in
            switch results[change.id] {
            case .kept, nil: .kept(kept.popFirst() ?? nil)
            case .conflict: .conflict
            case .unavailable(let error): .unavailable(StoreUnavailable(reason: "etcd: \(error.reason)"))
            }
        }
    }

    /// What a group of changes comes to for each instance, and which of them get a whole ttl.
    private func plan(_ changes: [StoreChange]) -> (writes: [EtcdWrite], renewed: Set<String>) {
        var order: [String] = []
        var writes: [String: EtcdWrite] = [:]
        var renewed: Set<String> = []
        replica.withLock { replica in
            for change in changes {
                if writes[change.id] == nil {
                    order.append(change.id)
                    writes[change.id] = EtcdWrite(id: change.id, known: replica.entry(id: change.id))
                }
                switch change {
                case .register(let instance):
                    writes[change.id]?.instance = instance
                    renewed.insert(instance.id)
                case .update(let instance):
                    writes[change.id]?.instance = instance
                case .deregister:
                    writes[change.id]?.instance = nil
                }
            }
        }
        // What comes and goes within the group is nothing to etcd.
        return (order.compactMap { writes[$0] }.filter { $0.known != nil || $0.instance != nil }, renewed)
    }

    /// Gives each write the lease that it needs: the one that the instance has, renewed, or a new one.
    nonisolated(nonsending) private func withLeases(
        _ writes: [EtcdWrite], renewed: Set<String>
    ) async throws(EtcdError) -> [EtcdWrite] {
        var writes = writes
        var isLeaseOld = [Bool](repeating: false, count: writes.count)
        var toRenew: [Int] = []
        for (index, write) in writes.enumerated() {
            guard let instance = write.instance, instance.ttlSeconds > 0, let known = write.known, known.lease != 0,
                self.instance(id: write.id)?.instance.ttlSeconds == instance.ttlSeconds
            else { continue }
            writes[index].lease = known.lease
            isLeaseOld[index] = true
            if renewed.contains(write.id) { toRenew.append(index) }
        }
        for (index, isAlive) in zip(toRenew, try await renew(toRenew.map { writes[$0].lease })) where !isAlive {
            writes[index].lease = 0
        }
        let toGrant = writes.indices.filter { index in
            writes[index].lease == 0 && writes[index].instance.map { $0.ttlSeconds > 0 } ?? false
        }
        let leases = try await grant(toGrant.map { writes[$0].instance?.ttlSeconds ?? 1 })
        for (index, lease) in zip(toGrant, leases) { writes[index].lease = lease }
        return writes
    }

    /// Asks for a lease for each ttl.
    nonisolated(nonsending) func grant(_ ttls: [Int]) async throws(EtcdError) -> [Int64] {
        let leases = await concurrently(ttls) { [client] ttl in
            await Result { () async throws(EtcdError) in
                try await client.call("lease/grant", EtcdMessage.grant(ttlSeconds: ttl)).lease
            }
        }
        return try leases.map { lease throws(EtcdError) in try lease.get() }
    }

    /// Renews leases.
    ///
    /// - Returns: for each whether it is there.
    nonisolated(nonsending) func renew(_ leases: [Int64]) async throws(EtcdError) -> [Bool] {
        let slices = stride(from: 0, to: leases.count, by: Self.renewalLength).map {
            leases[$0..<min($0 + Self.renewalLength, leases.count)]
        }
        let results = await concurrently(slices) { [client] slice in
            await Result { () async throws(EtcdError) in
                let answers = try await client.callForLines("lease/keepalive", EtcdMessage.keepAlive(slice))
                guard answers.count == slice.count else {
                    throw EtcdError(kind: .unavailable, reason: "\(answers.count) answers to \(slice.count) renewals")
                }
                return answers.map { $0.ttlSeconds > 0 }
            }
        }
        var isAlive: [Bool] = []
        isAlive.reserveCapacity(leases.count)
        for result in results { isAlive += try result.get() }
        return isAlive
    }

    /// Writes instances, in transactions of some each.
    ///
    /// - Returns: what became of each.
    nonisolated(nonsending) func write(_ writes: [EtcdWrite]) async -> [EtcdWriteResult] {
        let values = writes.map { $0.instance.map(StoredInstance.encode) ?? [] }
        var slices: [Range<Int>] = []
        var start = 0
        var octets = 0
        for index in writes.indices {
            if index - start >= Self.transactionLength || octets + values[index].count > Self.transactionOctets,
                index > start
            {
                slices.append(start..<index)
                (start, octets) = (index, 0)
            }
            octets += values[index].count
        }
        if start < writes.count { slices.append(start..<writes.count) }
        return await concurrently(slices) { slice in
            await self.commit(writes[slice], values[slice])
        }.flatMap { $0 }
    }

    nonisolated(nonsending) private func commit(
        _ writes: ArraySlice<EtcdWrite>, _ values: ArraySlice<[UInt8]>
    ) async -> [EtcdWriteResult] {
        var transaction = EtcdTransaction()
        var found: [InstanceKey] = []
        for (write, value) in zip(writes, values) {
            if let known = write.known {
                let key = InstanceKey(name: known.name, id: write.id)
                transaction.expect(keys.key(key), known.revision)
                found.append(key)
                if write.instance?.name != known.name { transaction.success.append(.delete(key: keys.key(key))) }
            }
            guard let instance = write.instance else { continue }
            let key = InstanceKey(name: instance.name, id: write.id)
            if write.known?.name != instance.name {
                transaction.expect(keys.key(key), 0)
                found.append(key)
            }
            transaction.success.append(.put(key: keys.key(key), value: value, lease: write.lease))
        }
        if transaction.success.contains(where: \.isDeletion) {
            transaction.success.append(.put(key: keys.deregistered, value: [], lease: 0))
        }
        do throws(EtcdError) {
            let response = try await client.call("kv/txn", EtcdMessage.transaction(transaction))
            if response.hasSucceeded { return writes.map { _ in .kept(revision: response.revision) } }
            inbox.append(findings: findings(response, found))
        } catch {
            // A lease that was there a moment ago: the next attempt gets a new one.
            guard error.kind == .noSuchLease else {
                note(error)
                return writes.map { _ in .unavailable(error) }
            }
            replica.withLock { replica in
                for write in writes { replica.lost(lease: write.lease, of: write.id) }
            }
        }
        return writes.map { _ in .conflict }
    }

    /// What a transaction has found under the keys that it was about.
    private func findings(_ response: EtcdResponse, _ found: [InstanceKey]) -> [EtcdChange] {
        zip(found, response.responses).map { key, response in
            response.values.first.map { change(key, $0) }
                ?? .delete(key, revision: response.revision, isDeliberate: false)
        }
    }

    /// Takes note of what this node has written.
    private func settle(_ write: EtcdWrite, _ result: EtcdWriteResult) {
        guard case .kept(let revision) = result else { return }
        replica.withLock { replica in
            if let instance = write.instance {
                replica.wrote(
                    write.id, EtcdReplica.Entry(name: instance.name, revision: revision, lease: write.lease))
            } else {
                replica.deleted(write.id, at: revision)
            }
        }
        if let old = write.known?.lease, old != 0, old != write.lease {
            spareLeases.withLock { $0.append(old) }
        }
    }

    /// Does the same with many, some at a time.
    ///
    /// - Returns: what came of each, in order.
    nonisolated(nonsending) func concurrently<Item: Sendable, Output: Sendable>(
        _ items: [Item], _ body: @escaping @Sendable (Item) async -> Output
    ) async -> [Output] {
        if items.count == 1 { return [await body(items[0])] }
        let workers = min(items.count, Self.concurrency)
        return await withTaskGroup(of: [(Int, Output)].self) { group in
            for worker in 0..<workers {
                group.addTask {
                    var outputs: [(Int, Output)] = []
                    for index in stride(from: worker, to: items.count, by: workers) {
                        outputs.append((index, await body(items[index])))
                    }
                    return outputs
                }
            }
            var all: [(Int, Output)] = []
            all.reserveCapacity(items.count)
            for await outputs in group { all += outputs }
            return all.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}

extension EtcdTransaction {
    /// Adds a condition, and the question what is there if it does not hold.
    fileprivate mutating func expect(_ key: String, _ revision: Int64) {
        conditions.append(Condition(key: key, revision: revision))
        failure.append(.get(key: key))
    }
}

extension EtcdTransaction.Operation {
    fileprivate var isDeletion: Bool {
        if case .delete = self { true } else { false }
    }
}

extension EtcdWriteResult {
    fileprivate var isKept: Bool {
        if case .kept = self { true } else { false }
    }
}

extension StoreChange {
    /// The id of the instance that it is about.
    var id: String {
        switch self {
        case .register(let instance), .update(let instance): instance.id
        case .deregister(let id): id
        }
    }
}
