import Synchronization

extension EtcdStore {
    /// Instances in a transaction: two operations each at most, and etcd takes 128.
    private static let transactionLength = 50
    /// Octets of values in a transaction: a request may have 1.5 MiB.
    private static let transactionOctets = 512 * 1024
    /// How long the watch may take to tell what a transaction has found out about.
    private static let newsTime = Duration.seconds(1)
    private static let newsInterval = Duration.milliseconds(20)
    /// How often a transaction is tried that finds its fence changed.
    private static let fenceAttempts = 4
    /// Requests of one kind under way at once.
    private static let concurrency = 16

    /// What a group of changes comes to.
    private struct Plan {
        /// For each instance.
        var writes: [EtcdWrite]
        /// Those that get a whole ttl.
        var renewed: Set<String>
        /// The history of etcd that this is about.
        var history: Int
    }

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        // Without waiting for the time to be up: the next probe finds out whether etcd is back.
        if let problem = health.withLock({ $0.problem }) {
            return changes.map { _ in .unavailable(StoreUnavailable(reason: "etcd: \(problem)")) }
        }
        if let results = await waitForNews(of: changes) { return results }
        // Before any lease is granted: no lease ends before the deadline that is known here.
        let now = time.now()
        let plan = plan(changes)
        let ready: [EtcdWrite]
        do throws(EtcdError) {
            ready = try await withLeases(plan.writes, renewed: plan.renewed)
        } catch {
            noteUnchanged(error)
            return changes.map { _ in .unavailable(StoreUnavailable(reason: "etcd: \(error.reason)")) }
        }
        let outcomes = await write(ready, history: plan.history)
        giveBackLeases(of: ready, outcomes, now: time.now())
        return settle(changes, ready, outcomes, history: plan.history, now: now)
    }

    /// The instances to be changed or to leave whose keys were found missing, and the watch has not told why: if one
    /// has moved, what is known of it here is not what is meant.
    private func undecidedIDs(of changes: [StoreChange]) -> Set<String> {
        replica.withLock { replica in
            if replica.orphans.isEmpty { return [] }
            return changes.reduce(into: []) { ids, change in
                if case .register = change { return }
                if let orphan = replica.orphans[change.id], orphan.foundAt > replica.seen { ids.insert(change.id) }
            }
        }
    }

    /// Waits until the watch has told what became of the instances of some changes.
    ///
    /// - Returns: `nil`: they may be written.
    nonisolated(nonsending) private func waitForNews(of changes: [StoreChange]) async -> [StoreResult]? {
        var unknown = undecidedIDs(of: changes)
        if unknown.isEmpty { return nil }
        var left = Self.newsTime / Self.newsInterval
        let rounds = Ticker(every: Self.newsInterval, on: timers)
        for await _ in rounds.ticks {
            // The committer takes in what the watch tells meanwhile.
            unknown = undecidedIDs(of: changes)
            left -= 1
            if left < 0 || unknown.isEmpty { break }
        }
        // Who leaves must not be there under another name; what is changed may be written again as it was known.
        let leaving = changes.reduce(into: Set<String>()) { ids, change in
            if case .deregister(let id) = change, unknown.contains(id) { ids.insert(id) }
        }
        if leaving.isEmpty, !unknown.isEmpty { return nil }
        return changes.map { change in
            if !leaving.contains(change.id) { return .conflict }
            return .unavailable(StoreUnavailable(reason: "etcd has not told yet what became of \(change.id)"))
        }
    }

    private func plan(_ changes: [StoreChange]) -> Plan {
        var order: [String] = []
        var writes: [String: EtcdWrite] = [:]
        var renewed: Set<String> = []
        let history = replica.withLock { replica in
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
            return replica.history
        }
        // What comes and goes within the group is nothing to etcd.
        let all = order.compactMap { writes[$0] }.filter { $0.known != nil || $0.instance != nil }
        return Plan(writes: all, renewed: renewed, history: history)
    }

    /// Takes note of what has become of a group. The watch may have told meanwhile what others have done since: the
    /// view is changed only where the replica says that what was written here is the newest.
    private func settle(
        _ changes: [StoreChange], _ writes: [EtcdWrite], _ outcomes: [EtcdWriteResult], history: Int, now: Moment
    ) -> [StoreResult] {
        agreement.withLock { _ in
            var results: [String: EtcdWriteResult] = [:]
            var newest: Set<String> = []
            replica.withLock { replica in
                for (write, outcome) in zip(writes, outcomes) {
                    results[write.id] = outcome
                    guard case .kept(let revision) = outcome else { continue }
                    guard replica.history == history else {
                        results[write.id] = .unavailable(.historyLost)
                        continue
                    }
                    if replica.settle(write, at: revision) != nil {
                        newest.insert(write.id)
                    } else if replica.isElsewhere(write, at: revision) {
                        results[write.id] = .conflict
                    }
                }
            }
            let applied = changes.filter { newest.contains($0.id) || results[$0.id] == nil }
            var kept = view.apply(applied, now: now)[...]
            return changes.map { change in
                switch results[change.id] {
                case nil: .kept(kept.popFirst() ?? nil)
                case .kept where newest.contains(change.id): .kept(kept.popFirst() ?? nil)
                case .kept: .kept(overtaken(change, now))
                case .conflict: .conflict
                case .unavailable(let error): .unavailable(StoreUnavailable(reason: "etcd: \(error.reason)"))
                }
            }
        }
    }

    /// What a change has left, that was kept and that others have gone past since.
    private func overtaken(_ change: StoreChange, _ now: Moment) -> RegisteredInstance? {
        switch change {
        case .register(let instance):
            return RegisteredInstance(instance: instance, lease: Lease(ttlSeconds: instance.ttlSeconds, now: now))
        case .update(let instance):
            let lease = self.instance(id: instance.id)?.lease
            let unheard = Lease(heardElsewhereWithTTLSeconds: instance.ttlSeconds, now: now)
            return RegisteredInstance(instance: instance, lease: lease ?? unheard)
        case .deregister:
            return nil
        }
    }

    /// Writes instances, in transactions of some each.
    ///
    /// - Parameters:
    ///   - history: of etcd, that the writes are about.
    ///   - limit: they are not kept if anything was deregistered after that revision; `nil`: all the same.
    /// - Returns: what became of each.
    nonisolated(nonsending) func write(
        _ writes: [EtcdWrite], history: Int, ifNothingLeftAfter limit: Int64? = nil
    ) async -> [EtcdWriteResult] {
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
            await self.commit(writes[slice], values[slice], history, limit)
        }.flatMap { $0 }
    }

    nonisolated(nonsending) private func commit(
        _ writes: ArraySlice<EtcdWrite>, _ values: ArraySlice<[UInt8]>, _ history: Int, _ limit: Int64?
    ) async -> [EtcdWriteResult] {
        let (transaction, asked) = EtcdTransaction.of(writes, values: values, keys: keys, ifNothingLeftAfter: limit)
        do throws(EtcdError) {
            let response = try await makeOnce(transaction)
            if response.hasSucceeded {
                noteChanged()
                return writes.map { _ in .kept(revision: response.revision) }
            }
            inbox.append(.findings(findings(response, asked), history: history))
        } catch {
            // A lease that was there a moment ago: the next attempt gets a new one.
            guard error.kind == .noSuchLease else {
                noteUnchanged(error)
                return writes.map { _ in .unavailable(error) }
            }
            await noteLostLeases(of: writes)
        }
        return writes.map { _ in .conflict }
    }

    /// Has a transaction be made once, if at all, however often etcd is asked for it.
    nonisolated(nonsending) private func makeOnce(
        _ transaction: EtcdTransaction
    ) async throws(EtcdError) -> EtcdResponse {
        guard transaction.makesKeys else { return try await make(transaction) }
        var fence = fences.take()
        defer { fences.giveBack(fence) }
        var attempt = 1
        while true {
            var fenced = transaction
            fenced.add(fence)
            let response = try await make(fenced)
            let expected = fence.revision
            // It has changed the fence either way.
            fence.revision = response.revision
            if response.hasSucceeded || attempt == Self.fenceAttempts { return response }
            let found = response.responses.dropLast().last?.values.first?.revision ?? 0
            // Unless it was the fence alone, which another node was at, or this transaction itself the first time.
            if found == expected { return response }
            attempt += 1
        }
    }

    nonisolated(nonsending) private func make(_ transaction: EtcdTransaction) async throws(EtcdError) -> EtcdResponse {
        let response = try await client.call("kv/txn", EtcdMessage.transaction(transaction))
        guard response.revision > 0 else { throw EtcdError(kind: .unavailable, reason: "etcd tells no revision") }
        return response
    }

    /// What a transaction has found under the keys that it was about.
    private func findings(_ response: EtcdResponse, _ asked: [InstanceKey]) -> [EtcdChange] {
        zip(asked, response.responses).map { key, found in
            found.values.first.map { change(key, $0) } ?? .missing(key, revision: response.revision)
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

extension EtcdError {
    fileprivate static let historyLost = EtcdError(kind: .unavailable, reason: "it has lost its data meanwhile")
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
