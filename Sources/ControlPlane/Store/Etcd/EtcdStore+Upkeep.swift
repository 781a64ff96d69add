import Logging
import Synchronization

extension EtcdStore {
    /// Instances written again or strays deleted at a time.
    private static let upkeepLength = 1000

    /// Passes heartbeats on to etcd: those of a fifth of a second together, each instance's once.
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

    /// Writes instances again that are alive though their leases have ended, and tidies up.
    nonisolated(nonsending) func restoreOrphans(time: TimeSource, notify: @escaping @Sendable () -> Void) async {
        let rounds = Ticker(every: .milliseconds(100), on: timers)
        for await _ in rounds.ticks where session.withLock({ $0.health.problem == nil }) {
            do throws(EtcdError) {
                // Until the probe finds that it makes changes again.
                if session.withLock({ $0.health.refusal == nil }) {
                    try await restoreSome(time: time)
                    try await deleteStrays()
                }
                try await revokeSpareLeases(now: time.now().monotonic)
            } catch {
                if !Task.isCancelled { noteUnchanged(error) }
            }
            if mirror.hasOrphans { notify() }
        }
    }

    /// Writes instances again whose leases have ended in an outage.
    nonisolated(nonsending) private func restoreSome(time: TimeSource) async throws(EtcdError) {
        let now = time.now()
        let orphans = mirror.orphansAlive(limit: Self.upkeepLength, now: now)
        if orphans.isEmpty { return }
        let deleted = try await deletedByHand(orphans, now)
        let restoration = mirror.restoration(of: orphans.map(\.id).filter { !deleted.contains($0) })
        if restoration.writes.isEmpty { return }
        let writes = try await withNewLeases(restoration.writes)
        // Nor is who was deregistered without this node having heard of it: an orphan has no key that would be missed.
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

    /// Which of these orphans still have the lease that they had: somebody has deleted their keys with other means than
    /// this program. They leave.
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

    /// Deletes keys of instances that are known under another key by now: two nodes have registered the same id with
    /// different names at once.
    nonisolated(nonsending) private func deleteStrays() async throws(EtcdError) {
        for (key, revision) in mirror.strays(limit: Self.upkeepLength) {
            var transaction = EtcdTransaction()
            transaction.conditions = [EtcdTransaction.Condition(key: keys.key(key), revision: revision)]
            transaction.success = [
                .delete(key: keys.key(key)), .put(key: keys.deregistered, value: [], lease: 0),
            ]
            _ = try await client.call("kv/txn", EtcdMessage.transaction(transaction))
            mirror.swept(key, at: revision)
        }
    }

    /// Writes the snapshot whenever something has changed.
    nonisolated(nonsending) func keep(_ snapshot: EtcdSnapshot) async {
        let rounds = Ticker(every: .seconds(5), on: timers)
        for await _ in rounds.ticks where session.withLock({ $0.health.problem == nil }) { save(snapshot) }
    }

    /// Writes the snapshot, unless it is the same.
    func save(_ snapshot: EtcdSnapshot) {
        // First: of the instances more may be known by then, and never less.
        let seen = mirror.seen
        let now = clock.now()
        let (identity, age) = session.withLock { ($0.position.identity, $0.health.lagSeconds(now: now.monotonic)) }
        let savedAt = WallTime(
            millisecondsSince1970: now.wall.millisecondsSince1970 - (Int64(exactly: (age * 1000).rounded()) ?? 0))
        do throws(StoreUnavailable) {
            try snapshot.save(EtcdPosition(identity: identity, revision: seen), savedAt: savedAt) { allInstances() }
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
        mirror.remember(contents.instances, at: contents.position.revision, now: now)
        let age = max(0, now.wall.millisecondsSince1970 - contents.savedAt.millisecondsSince1970)
        session.withLock { $0.remembers(contents.position.identity, asOf: now.monotonic - .milliseconds(age)) }
        logger.warning(
            "etcd does not answer: DNS answers from the snapshot",
            metadata: ["instances": "\(contents.instances.count)", "age": "\(age / 1000) s"])
        return true
    }
}
