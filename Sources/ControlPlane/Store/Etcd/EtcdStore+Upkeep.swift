import Logging
import Synchronization

extension EtcdStore {
    /// How many instances are written again, or left-over keys deleted, at a time.
    private static let upkeepLength = 1000

    /// Passes heartbeats on to etcd every fifth of a second, each instance's once.
    nonisolated(nonsending) func renewLeases() async {
        let rounds = Ticker(every: .milliseconds(200), on: timers)
        for await _ in rounds.ticks where session.withLock({ $0.health.problem == nil }) {
            let ids = upkeep.withLock { $0.takeHeartbeats() }
            if ids.isEmpty { continue }
            let leases = mirror.leases(of: ids)
            do throws(EtcdError) {
                let isAlive = try await renew(leases.map(\.lease))
                mirror.lost(zip(leases, isAlive).filter { !$1 }.map(\.0))
            } catch {
                upkeep.withLock { $0.hear(ids) }
                if !Task.isCancelled { note(error) }
            }
        }
    }

    /// Writes instances again that are alive although their leases have ended, and tidies up.
    nonisolated(nonsending) func restoreOrphans(time: TimeSource, notify: @escaping @Sendable () -> Void) async {
        let rounds = Ticker(every: .milliseconds(100), on: timers)
        for await _ in rounds.ticks where session.withLock({ $0.health.problem == nil }) {
            do throws(EtcdError) {
                // If etcd refuses changes, wait until the probe finds that it makes them again.
                if session.withLock({ $0.health.refusal == nil }) {
                    try await restorePolicies()
                    try await restoreSome(time: time)
                    await reviveSome()
                    try await deleteStrays()
                }
                try await revokeSpareLeases(now: time.now().monotonic)
            } catch {
                if !Task.isCancelled { noteUnchanged(error) }
            }
            if mirror.hasNews { notify() }
        }
    }

    /// Writes instances again whose leases ended in an outage.
    nonisolated(nonsending) private func restoreSome(time: TimeSource) async throws(EtcdError) {
        let now = time.now()
        let orphans = mirror.orphansAlive(limit: Self.upkeepLength, now: now)
        if orphans.isEmpty { return }
        let deleted = try await deletedByHand(orphans, now)
        let restoration = mirror.restoration(of: orphans.map(\.id).filter { !deleted.contains($0) })
        if restoration.writes.isEmpty { return }
        let writes = try await withNewLeases(restoration.writes)
        // This also leaves out unheard deregistrations: an orphan has no key whose absence would fail the transaction.
        let results = await write(writes, history: restoration.history, ifNothingLeftAfter: restoration.seen)
        giveBackLeases(of: writes, results, now: time.now())
        let restored = zip(writes, results).compactMap { write, result -> EtcdKeptWrite? in
            guard case .kept(let revision) = result else { return nil }
            return EtcdKeptWrite(write: write, revision: revision)
        }
        if restored.isEmpty { return }
        session.withLock { $0.learn(.own(restored, history: restoration.history)) }
        logger.notice(
            "instances that etcd had lost and that are alive are written again",
            metadata: ["count": "\(restored.count)"])
    }

    /// Writes instances again that were held by the brake, and were heard from here.
    nonisolated(nonsending) private func reviveSome() async {
        let revival = mirror.revival(limit: Self.upkeepLength)
        if revival.writes.isEmpty { return }
        let results = await write(revival.writes, history: revival.history)
        let kept = zip(revival.writes, results).compactMap { write, result -> EtcdKeptWrite? in
            guard case .kept(let revision) = result else { return nil }
            return EtcdKeptWrite(write: write, revision: revision)
        }
        if !kept.isEmpty { session.withLock { $0.learn(.own(kept, history: revival.history)) } }
    }

    /// The orphans that still have their lease: their keys were deleted, and not by this program. They leave.
    nonisolated(nonsending) private func deletedByHand(
        _ orphans: [(id: String, lease: Int64)], _ now: Moment
    ) async throws(EtcdError) -> Set<String> {
        let leased = orphans.filter { $0.lease != 0 }
        let isLeaseThere = try await renew(leased.map(\.lease))
        let deleted = zip(leased, isLeaseThere).filter { $1 }.map(\.0)
        mirror.leave(deleted)
        giveBack(deleted.map(\.lease), mayBeUsed: true, dueAt: now.monotonic)
        return Set(deleted.map(\.id))
    }

    /// Deletes left-over keys of instances that have another key by now: two nodes registered the same id with
    /// different names at the same time.
    nonisolated(nonsending) private func deleteStrays() async throws(EtcdError) {
        for (key, revision) in mirror.strays(limit: Self.upkeepLength) {
            var transaction = EtcdTransaction()
            transaction.conditions = [EtcdTransaction.Condition(key: keys.key(key), revision: revision)]
            transaction.success = [
                .delete(key: keys.key(key)), .put(key: keys.deregistered, value: [], lease: 0),
            ]
            let response = try await client.call("kv/txn", EtcdMessage.transaction(transaction))
            // Otherwise somebody has written it since: the watch will tell whether it is left over nevertheless.
            if response.hasSucceeded { mirror.swept(key, at: revision) }
        }
    }

    /// Writes the snapshot when something has changed.
    nonisolated(nonsending) func keep(_ snapshot: EtcdSnapshot) async {
        let rounds = Ticker(every: .seconds(5), on: timers)
        for await _ in rounds.ticks where session.withLock({ $0.health.problem == nil }) { save(snapshot) }
    }

    /// Writes the snapshot, unless nothing has changed.
    func save(_ snapshot: EtcdSnapshot) {
        // Read the revision first: the instances read after it may be newer, but never older.
        let seen = mirror.seen
        let now = clock.now()
        let (identity, age) = session.withLock { ($0.position.identity, $0.health.lagSeconds(now: now.monotonic)) }
        let savedAt = WallTime(
            millisecondsSince1970: now.wall.millisecondsSince1970 - (Int64(exactly: (age * 1000).rounded()) ?? 0))
        do throws(StoreUnavailable) {
            try snapshot.save(EtcdPosition(identity: identity, revision: seen), savedAt: savedAt) {
                (allInstances(), allPolicies())
            }
            if snapshot.note(nil) { logger.notice("the snapshot is written again") }
        } catch {
            guard snapshot.note(error) else { return }
            logger.error("the snapshot is not written", metadata: ["error": "\(error.reason)"])
        }
    }

    /// Fills the view from a snapshot.
    ///
    /// - Returns: whether there is one.
    func restore(_ snapshot: EtcdSnapshot, time: TimeSource) -> Bool {
        let contents: EtcdSnapshot.Contents
        do throws(StoreUnavailable) {
            guard let found = try snapshot.load() else { return false }
            contents = found
        } catch {
            logger.error("the snapshot can't be read", metadata: ["error": "\(error.reason)"])
            return false
        }
        let now = time.now()
        mirror.remember(contents.instances, contents.policies, at: contents.position.revision, now: now)
        let age = max(0, now.wall.millisecondsSince1970 - contents.savedAt.millisecondsSince1970)
        session.withLock { $0.remembers(contents.position.identity, asOf: now.monotonic - .milliseconds(age)) }
        logger.warning(
            "etcd does not answer: DNS answers from the snapshot",
            metadata: ["instances": "\(contents.instances.count)", "age": "\(age / 1000) s"])
        return true
    }
}
