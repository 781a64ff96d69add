import Synchronization

/// What this node knows of the instances in etcd, and what it shows of them: the replica, and the view that follows it.
///
/// It owns both, and changes them together. Whatever comes in, what the watch tells, what transactions have found and
/// what they have done, goes through the replica, and what the replica says is done to the view before anybody else
/// gets at either.
final class EtcdMirror: Sendable {
    /// How long an instance stays whose lease has ended: the node that its heartbeats go to may be late.
    private static let orphanPatience = Duration.milliseconds(300)

    /// What a group of changes comes to.
    struct Plan {
        /// For each instance.
        var writes: [EtcdWrite]
        /// Those that get a whole ttl.
        var renewed: Set<String>
        /// The history of etcd that this is about.
        var history: Int
    }

    /// Instances to be written again as they are shown.
    struct Restoration {
        var writes: [EtcdWrite]
        /// The history of etcd that this is about.
        var history: Int
        /// Up to which revision everything is known.
        var seen: Int64
    }

    /// How far this node is when it has taken in what had come.
    struct Progress {
        /// Up to which revision everything is known.
        var seen: Int64
        /// Whether etcd's revisions have begun anew.
        var isNewHistory: Bool
        /// Instances whose keys or leases are gone.
        var orphanCount: Int
    }

    let view = InstanceView()
    private let replica = Mutex(EtcdReplica())

    // MARK: News

    /// Takes in what has come, and decides about instances whose leases have ended: who was heard of here lives, and is
    /// written again; the others go.
    ///
    /// - Parameter isHolding: whether nobody goes for now, as after an outage.
    func adopt(_ items: [EtcdInbox.Item], isHolding: Bool, now: Moment) -> Progress {
        replica.withLock { replica in
            let history = replica.history
            for item in items { apply(replica.adopt(item), now) }
            apply(replica.takeLeaving(), now)
            if !isHolding {
                let gone = replica.doubt(now: now.monotonic, patience: Self.orphanPatience) { isAlive($0, now) }
                for id in gone { replica.forget(id) }
                apply(gone.map { .remove(id: $0) }, now)
            }
            return Progress(
                seen: replica.seen, isNewHistory: replica.history != history, orphanCount: replica.orphans.count)
        }
    }

    /// Up to which revision everything is known.
    var seen: Int64 { replica.withLock { $0.seen } }

    /// Instances of which nothing but themselves is known, from a snapshot.
    ///
    /// - Parameter revision: up to which everything was known then; 0: nobody can tell.
    func remember(_ instances: [ServiceInstance], at revision: Int64, now: Moment) {
        replica.withLock { replica in
            replica.remember(instances.map { InstanceKey(name: $0.name, id: $0.id) }, at: revision)
            apply(instances.map { .put($0) }, now)
        }
    }

    /// Leases that etcd does not know.
    func lost(_ leases: some Sequence<(id: String, lease: Int64)>) {
        replica.withLock { replica in
            for (id, lease) in leases { replica.lost(lease: lease, of: id) }
        }
    }

    /// Puts into the view what the replica says.
    private func apply(_ actions: [EtcdReplica.Action], _ now: Moment) {
        var rest = actions[...]
        while !rest.isEmpty {
            let slice = rest.prefix(InstanceView.sliceLength)
            rest = rest.dropFirst(InstanceView.sliceLength)
            view.withTable { table in
                for action in slice { Self.apply(action, to: &table, now) }
            }
        }
    }

    private static func apply(_ action: EtcdReplica.Action, to table: inout InstanceTable, _ now: Moment) {
        switch action {
        case .put(let instance):
            let known = table.instance(id: instance.id)
            // Whoever hears the heartbeats knows when it expires: here they did not come, or it was known before.
            let isHeardHere = known?.lease.deadline != nil && instance.ttlSeconds > 0
            table.put(
                instance,
                lease: isHeardHere ? nil : Lease(heardElsewhereWithTTLSeconds: instance.ttlSeconds, now: now))
        case .remove(let id):
            table.remove(id: id)
        }
    }

    // MARK: Leases

    /// The leases of those of the instances that have one.
    func leases(of ids: some Sequence<String>) -> [(id: String, lease: Int64)] {
        replica.withLock { $0.leases(of: ids) }
    }

    /// All instances that have a lease.
    var leasedIDs: [String] { replica.withLock { replica in replica.leases(of: replica.ids).map(\.id) } }

    private func instance(_ id: String) -> RegisteredInstance? { view.withTable { $0.instance(id: id) } }

    /// Whether a heartbeat that came here keeps an instance alive.
    private func isAlive(_ id: String, _ now: Moment) -> Bool {
        guard let deadline = instance(id)?.lease.deadline else { return false }
        return deadline > now.monotonic
    }

    // MARK: Changes

    /// The instances to be changed or to leave whose keys were found missing, and the watch has not told why: if one
    /// has moved, what is known of it here is not what is meant.
    func undecidedIDs(of changes: [StoreChange]) -> Set<String> {
        replica.withLock { replica in
            if replica.orphans.isEmpty { return [] }
            return changes.reduce(into: []) { ids, change in
                if case .register = change { return }
                if let orphan = replica.orphans[change.id], orphan.foundAt > replica.seen { ids.insert(change.id) }
            }
        }
    }

    /// What is to be written for a group of changes.
    func plan(_ changes: [StoreChange]) -> Plan {
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
                    // One that is not known here, or no longer, may be there all the same, or be written again.
                    if let write = writes[change.id], write.known == nil {
                        writes[change.id]?.known =
                            write.instance.map { EtcdReplica.Entry(name: $0.name, revision: 0, lease: 0) }
                            ?? replica.departure(of: change.id)
                    }
                    writes[change.id]?.instance = nil
                }
            }
            return replica.history
        }
        // Of one that was forgotten meanwhile there is nothing to write.
        let all = order.compactMap { writes[$0] }.filter { $0.known != nil || $0.instance != nil }
        return Plan(writes: all, renewed: renewed, history: history)
    }

    /// Takes note of what has become of a group. The watch may have told meanwhile what others have done since: the
    /// view is changed only where the replica says that what was written here is the newest.
    ///
    /// - Parameters:
    ///   - history: of etcd, that the writes were about.
    ///   - now: before any lease was granted.
    func settle(
        _ changes: [StoreChange], _ writes: [EtcdWrite], _ outcomes: [EtcdWriteResult], history: Int, now: Moment
    ) -> [StoreResult] {
        replica.withLock { replica in
            var results: [String: EtcdWriteResult] = [:]
            var newest: Set<String> = []
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
            let lease = self.instance(instance.id)?.lease
            let unheard = Lease(heardElsewhereWithTTLSeconds: instance.ttlSeconds, now: now)
            return RegisteredInstance(instance: instance, lease: lease ?? unheard)
        case .deregister:
            return nil
        }
    }

    // MARK: Instances whose leases have ended

    /// Whether there are any.
    var hasOrphans: Bool { replica.withLock { !$0.orphans.isEmpty } }

    /// Those that are alive, and the leases that they had.
    func orphansAlive(limit: Int, now: Moment) -> [(id: String, lease: Int64)] {
        replica.withLock { replica in
            replica.decidableOrphans.lazy.filter { $0.value.isToBeRestored || self.isAlive($0.key, now) }.prefix(limit)
                .map { ($0.key, $0.value.lease) }.sorted { $0.0 < $1.0 }
        }
    }

    /// The keys of these were deleted with other means than this program: they leave.
    ///
    /// - Parameter orphans: with the leases that tell.
    func leave(_ orphans: some Sequence<(id: String, lease: Int64)>) {
        replica.withLock { replica in
            for (id, lease) in orphans { replica.leave(id, lease: lease) }
        }
    }

    /// Some of a group's instances are about to be deregistered, until ``endDeparture()``.
    func beginDeparture(in changes: [StoreChange]) {
        let ids = changes.reduce(into: Set<String>()) { ids, change in
            if case .deregister(let id) = change { ids.insert(id) }
        }
        replica.withLock { $0.beginDeparture(of: ids) }
    }

    /// See ``EtcdReplica/endDeparture()``.
    func endDeparture() { replica.withLock { $0.endDeparture() } }

    /// What is to be written again of these.
    func restoration(of ids: [String]) -> Restoration {
        replica.withLock { replica in
            let writes = ids.compactMap { id -> EtcdWrite? in
                // Who was deregistered or changed meanwhile is not to be brought back as it was.
                guard replica.orphans[id] != nil, let known = replica.entry(id: id),
                    let instance = instance(id)?.instance
                else { return nil }
                // Its own rank is no lower than before: what was older then stays older.
                return EtcdWrite(id: id, known: known, instance: instance, asOf: max(replica.seen, known.rank))
            }
            return Restoration(writes: writes, history: replica.history, seen: replica.seen)
        }
    }

    // MARK: Keys that are left over

    /// Some keys of instances that are known under another one by now, and at which revision.
    func strays(limit: Int) -> [(key: InstanceKey, revision: Int64)] {
        replica.withLock { $0.strays }.prefix(limit).map { ($0.key, $0.value) }.sorted { $0.1 < $1.1 }
    }

    /// One of them was dealt with.
    func swept(_ key: InstanceKey, at revision: Int64) {
        replica.withLock { $0.swept(key, at: revision) }
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
