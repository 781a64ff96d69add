import Logging
import Synchronization

/// Keeps instances in a SQLite database: a group of changes is one transaction, which is on the disk before anybody is
/// told.
///
/// Heartbeats are not written: every instance gets a whole ttl after a restart anyway.
final class SQLiteStore: Store {
    private struct State {
        /// Why the last write failed, or the opened database could not be synced; `nil`: it succeeded.
        var problem: String?
        /// Keys of rows whose instances have expired and that could not be deleted yet.
        var overdue: [Int64] = []
    }

    let view = InstanceView()
    let database: InstanceDatabase
    private let logger: Logger
    private let condition: Mutex<State>

    /// Opens the database; creates it if it does not exist.
    ///
    /// - Throws: if the file can't be used; says what to do about it.
    init(path: String, logger: Logger) throws(StoreUnavailable) {
        database = try InstanceDatabase(path: path)
        condition = Mutex(State(problem: database.openingProblem?.reason))
        self.logger = logger
    }

    var type: String { "sqlite" }

    var state: StoreState {
        StoreState(problem: condition.withLock { $0.problem })
    }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {
        var skipped = 0
        // Rows whose instances have another key in the table: theirs could not be used, or an id occurred twice.
        var misplaced: [(key: Int64, instance: ServiceInstance)] = []
        try database.readAll { rows in
            let now = time.now()
            view.withTable { table in
                for row in rows {
                    guard let instance = row.instance,
                        let loaded = table.put(
                            instance, lease: Lease(ttlSeconds: instance.ttlSeconds, now: now), because: .loaded)
                    else {
                        skipped += 1
                        continue
                    }
                    if InstanceRow.key(loaded.instance.sequence) != row.key {
                        misplaced.append((row.key, loaded.instance))
                    }
                }
            }
        }
        if !misplaced.isEmpty {
            let rows = misplaced.map { RowChange.put($0.instance) }
            try database.write(rows, deleting: misplaced.map(\.key), isTrial: false)
            logger.warning("rows of the database have got another place", metadata: ["count": "\(misplaced.count)"])
        }
        if skipped > 0 {
            logger.error("rows of the database are no instances: skipped", metadata: ["count": "\(skipped)"])
        }
        let (policies, malformedCount) = try database.readPolicies()
        view.withTable { table in
            for named in policies.prefix(ServicePolicy.maximumCount) { table.setPolicy(named.policy, of: named.name) }
        }
        if malformedCount > 0 {
            logger.error("rows of the database are no policies: skipped", metadata: ["count": "\(malformedCount)"])
        }
    }

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        do throws(StoreUnavailable) {
            try write(changes)
        } catch {
            return changes.map { _ in .unavailable(error) }
        }
        return view.apply(changes, now: time.now()).map { .kept($0) }
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        let expired = view.removeExpired(sweep, limit: limit)
        let (isDue, isFailing) = condition.withLock { state in
            state.overdue += expired.instances.map { InstanceRow.key($0.sequence) }
            return (!state.overdue.isEmpty, state.problem != nil)
        }
        // The instances are out of the view in any case; the next successful write deletes their rows.
        if isDue || isFailing || database.replacement != nil { try? write([]) }
        return expired
    }

    nonisolated(nonsending) func close() async {
        database.close()
    }

    private func write(_ changes: [StoreChange]) throws(StoreUnavailable) {
        let (overdue, isFailing) = condition.withLock { ($0.overdue, $0.problem != nil) }
        do throws(StoreUnavailable) {
            try database.write(rows(changes), deleting: overdue, isTrial: isFailing)
        } catch {
            condition.withLock { $0.problem = error.reason }
            throw error
        }
        condition.withLock { state in
            state.problem = nil
            state.overdue.removeFirst(overdue.count)
        }
    }

    /// The rows that the changes write and delete, in order.
    private func rows(_ changes: [StoreChange]) -> [RowChange] {
        // Keys of instances that are new in this group, which are not in the view yet.
        var keys: [String: Int64] = [:]
        return changes.compactMap { change in
            switch change {
            case .register(let instance, _), .update(let instance, _):
                keys[instance.id] = InstanceRow.key(instance.sequence)
                return .put(instance)
            case .deregister(let id, _):
                let key = keys[id] ?? instance(id: id).map { InstanceRow.key($0.instance.sequence) }
                return key.map { .delete(key: $0) }
            case .policy(let name, let policy, _):
                return policy.map { .putPolicy(NamedPolicy(name: name, policy: $0)) } ?? .deletePolicy(name: name)
            }
        }
    }
}
