import Synchronization

extension EtcdStore {
    /// How many instances a transaction has: each needs at most two operations, and etcd allows 128.
    private static let transactionLength = 50
    /// How many octets of values a transaction has: a request may have 1.5 MiB.
    private static let transactionOctets = 512 * 1024
    /// How long to wait until the watch tells about keys that a transaction has found missing.
    private static let newsTime = Duration.seconds(1)
    private static let newsInterval = Duration.milliseconds(20)
    /// How often a transaction is tried if its fence has changed.
    private static let fenceAttempts = 4
    /// How many requests of one kind are under way at once.
    private static let concurrency = 16

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        // Fail at once instead of waiting for a timeout: the next probe finds out whether etcd is back.
        if let problem = session.withLock({ $0.health.problem }) {
            return changes.map { _ in .unavailable(StoreUnavailable(reason: "etcd: \(problem)")) }
        }
        guard changes.contains(where: \.isPolicy) else { return await commitInstances(changes, time: time) }
        let others = changes.filter { !$0.isPolicy }
        var kept = others.isEmpty ? [] : await commitInstances(others, time: time)[...]
        var results: [StoreResult] = []
        for change in changes {
            if case .policy(let name, let policy, let reason) = change {
                results.append(await commit(policy, of: name, because: reason))
            } else {
                results.append(kept.popFirst() ?? .conflict)
            }
        }
        return results
    }

    nonisolated(nonsending) private func commitInstances(
        _ changes: [StoreChange], time: TimeSource
    ) async -> [StoreResult] {
        let unkeyed = mirror.unkeyedIDs(ofResultsIn: changes)
        if !unkeyed.isEmpty { return await commitInstances(changes, without: unkeyed, time: time) }
        mirror.beginDeparture(in: changes)
        defer { mirror.endDeparture() }
        if let results = await waitForNews(of: changes) { return results }
        // Taken before any lease is granted, so that no lease ends before the deadline known here.
        let now = time.now()
        let plan = mirror.plan(changes)
        let ready: [EtcdWrite]
        do throws(EtcdError) {
            ready = try await withLeases(plan.writes, renewed: plan.renewed)
        } catch {
            noteUnchanged(error)
            return changes.map { _ in .unavailable(StoreUnavailable(reason: "etcd: \(error.reason)")) }
        }
        var outcomes = await write(ready, history: plan.history)
        await waitForNews(ofDepartures: ready, &outcomes)
        giveBackLeases(of: ready, outcomes, now: time.now())
        let results = mirror.settle(changes, ready, outcomes, history: plan.history, now: now)
        // Heartbeats that came meanwhile have renewed the leases that the keys were on before.
        let late = mirror.heardOf(plan.renewed, after: now)
        if !late.isEmpty { upkeep.withLock { $0.hear(late) } }
        return results
    }

    /// Commits all changes but those of some instances, which nobody has asked for, and which must wait until it is
    /// known whether the instances are still there.
    nonisolated(nonsending) private func commitInstances(
        _ changes: [StoreChange], without ids: Set<String>, time: TimeSource
    ) async -> [StoreResult] {
        let others = changes.filter { !ids.contains($0.id) }
        var results = others.isEmpty ? [] : await commitInstances(others, time: time)[...]
        return changes.map { change in
            guard ids.contains(change.id) else { return results.popFirst() ?? .conflict }
            return .unavailable(StoreUnavailable(reason: "etcd has no key of \(change.id) at present"))
        }
    }

    /// Waits until the watch has told what became of missing keys of some changes' instances.
    ///
    /// - Returns: the results if the changes can't be written now; `nil`: they may be written.
    nonisolated(nonsending) private func waitForNews(of changes: [StoreChange]) async -> [StoreResult]? {
        var unknown = mirror.undecidedIDs(of: changes)
        if unknown.isEmpty { return nil }
        let known = mirror.entries(of: changes)
        await waitForNews {
            unknown = mirror.undecidedIDs(of: changes)
            return unknown.isEmpty
        }
        // A deregistered instance must not exist under another name. A changed one may be written again as it was
        // known.
        let leaving = changes.reduce(into: Set<String>()) { ids, change in
            if case .deregister(let id, _) = change, unknown.contains(id) { ids.insert(id) }
        }
        // But what the other changes were decided about must not have changed meanwhile: they may be wrong now.
        if leaving.isEmpty, !unknown.isEmpty, mirror.entries(of: changes) == known { return nil }
        return changes.map { change in
            if !leaving.contains(change.id) { return .conflict }
            return .unavailable(StoreUnavailable(reason: "etcd has not told yet what became of \(change.id)"))
        }
    }

    /// Waits until the watch has told all that came before instances without a key were deregistered: one of them may
    /// have come back under another name. It is deregistered by the next attempt then.
    nonisolated(nonsending) private func waitForNews(
        ofDepartures writes: [EtcdWrite], _ outcomes: inout [EtcdWriteResult]
    ) async {
        var last: Int64 = 0
        for case (let write, .kept(let revision)) in zip(writes, outcomes) where write.leavesWithoutKey {
            last = max(last, revision)
        }
        if last <= mirror.seen { return }
        await waitForNews { last <= mirror.seen }
        let seen = mirror.seen
        for (index, write) in writes.enumerated() where write.leavesWithoutKey {
            guard case .kept(let revision) = outcomes[index], revision > seen else { continue }
            outcomes[index] = .unavailable(
                EtcdError(kind: .unavailable, reason: "it has not told yet what became of \(write.id)"))
        }
    }

    /// Waits until the watch has told enough, and no longer than ``newsTime``. Meanwhile the committer takes in what it
    /// tells.
    nonisolated(nonsending) private func waitForNews(_ isEnough: () -> Bool) async {
        var left = Self.newsTime / Self.newsInterval
        let rounds = Ticker(every: Self.newsInterval, on: timers)
        for await _ in rounds.ticks {
            left -= 1
            if isEnough() || left < 0 { return }
        }
    }

    /// Writes instances, some in each transaction.
    ///
    /// - Parameters:
    ///   - history: the history of etcd that the writes are based on.
    ///   - limit: nothing is kept if anything was deregistered after this revision; `nil`: no such limit.
    /// - Returns: the result of each write.
    nonisolated(nonsending) func write(
        _ writes: [EtcdWrite], history: Int, ifNothingLeftAfter limit: Int64? = nil
    ) async -> [EtcdWriteResult] {
        let values = writes.map { write in write.instance.map { StoredInstance.encode($0, write.origin) } ?? [] }
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
            let found = findings(response, asked)
            session.withLock { $0.learn(.findings(found, history: history)) }
        } catch {
            // A lease has ended since it was checked: the next attempt gets a new one.
            guard error.kind == .noSuchLease else {
                noteUnchanged(error)
                return writes.map { _ in .unavailable(error) }
            }
            await noteLostLeases(of: writes)
        }
        return writes.map { _ in .conflict }
    }

    /// Makes sure that a transaction is carried out at most once, however often the request reaches etcd.
    nonisolated(nonsending) func makeOnce(
        _ transaction: EtcdTransaction
    ) async throws(EtcdError) -> EtcdResponse {
        guard transaction.isRepeatable else { return try await make(transaction) }
        var fence = fences.take()
        defer { fences.giveBack(fence) }
        var attempt = 1
        while true {
            var fenced = transaction
            fenced.add(fence)
            let response = try await make(fenced)
            let expected = fence.revision
            // The transaction has changed the fence, whether it succeeded or not.
            fence.revision = response.revision
            if response.hasSucceeded || attempt == Self.fenceAttempts { return response }
            let found = response.responses.dropLast().last?.values.first?.revision ?? 0
            // If the fence was as expected, other conditions failed. Otherwise another node changed it, or the first
            // try did.
            if found == expected { return response }
            attempt += 1
        }
    }

    nonisolated(nonsending) private func make(_ transaction: EtcdTransaction) async throws(EtcdError) -> EtcdResponse {
        let response = try await client.call("kv/txn", EtcdMessage.transaction(transaction))
        guard response.revision > 0 else { throw EtcdError(kind: .unavailable, reason: "etcd tells no revision") }
        return response
    }

    /// What a transaction has found under the keys that it expected otherwise.
    private func findings(_ response: EtcdResponse, _ asked: [InstanceKey]) -> [EtcdChange] {
        zip(asked, response.responses).map { key, found in
            found.values.first.map { change(key, $0) } ?? .missing(key, revision: response.revision)
        }
    }

    /// Calls `body` for many items, several at a time.
    ///
    /// - Returns: the results, in order.
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
