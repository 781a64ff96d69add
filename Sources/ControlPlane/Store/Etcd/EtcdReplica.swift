/// What is known of the keys in etcd: pure, with no clock and no connection.
///
/// Events come from a watch in the order of their revisions; what this node has written itself is known before its
/// event comes. An instance whose key is gone without anybody having deregistered it becomes an orphan: its lease has
/// ended, but who sends heartbeats to this node is alive all the same.
struct EtcdReplica: Sendable {
    /// What is known of an instance.
    struct Entry: Sendable, Equatable {
        var name: String
        /// When its key was changed last; 0: etcd has no such key.
        var revision: Int64
        /// 0: none.
        var lease: Int64
    }

    /// An instance whose key or lease is gone.
    struct Orphan: Sendable, Equatable {
        /// The lease that it had; 0: none.
        var lease: Int64
        /// Whether it is to be written again even if no heartbeat came: etcd has lost everything.
        var isToBeRestored = false
        /// When this node has decided first that nothing keeps it alive here; `nil`: not yet.
        var doubtedSince: ContinuousClock.Instant?
    }

    /// What is to be done with the instance of a change.
    enum Action: Sendable, Equatable {
        case put(ServiceInstance)
        case remove(id: String)
    }

    private var entries = ShardedDictionary<Entry>()
    /// Keys that this node has deleted, at which revision: what comes later of what was before is not to be believed.
    private var tombstones: [InstanceKey: Int64] = [:]
    /// Instances whose key or lease is gone.
    private(set) var orphans: [String: Orphan] = [:]
    /// Keys of instances that have another one by now, at which revision: to be deleted.
    private(set) var strays: [InstanceKey: Int64] = [:]

    /// What is known of the instance with that id.
    func entry(id: String) -> Entry? { entries[id] }

    /// The number of instances.
    var count: Int { entries.count }

    /// The leases of those of the instances that have one.
    func leases(of ids: some Sequence<String>) -> [(id: String, lease: Int64)] {
        ids.compactMap { id in
            guard let lease = entries[id]?.lease, lease != 0 else { return nil }
            return (id, lease)
        }
    }

    /// All ids.
    var ids: [String] {
        var ids: [String] = []
        ids.reserveCapacity(entries.count)
        entries.forEach { id, _ in ids.append(id) }
        return ids
    }

    // MARK: What others write

    /// A change that etcd tells of.
    mutating func adopt(_ change: EtcdChange) -> Action? {
        switch change {
        case .put(let key, let instance, let revision, let lease):
            put(key, instance, revision, lease)
        case .delete(let key, let revision, let isDeliberate):
            delete(key, revision, isDeliberate)
        }
    }

    /// All that etcd has at a revision, in place of the changes that have led there.
    ///
    /// - Parameter isWiped: whether etcd has lost what it had: it gets everything from here then.
    mutating func replaceAll(with values: [EtcdChange], at revision: Int64, isWiped: Bool) -> [Action] {
        if isWiped {
            tombstones = [:]
            strays = [:]
            for id in ids {
                _ = entries.withValue(of: id) { $0 = Entry(name: $0.name, revision: 0, lease: 0) }
                orphans[id] = Orphan(lease: 0, isToBeRestored: true)
            }
        }
        var actions: [Action] = []
        var present: Set<String> = []
        present.reserveCapacity(values.count)
        for value in values {
            if case .put(let key, _, _, _) = value { present.insert(key.id) }
            if let action = adopt(value) { actions.append(action) }
        }
        if isWiped { return actions }
        for id in ids where !present.contains(id) {
            // What was written after the others were read is not missing.
            guard let entry = entries[id], entry.revision <= revision else { continue }
            orphan(id, revision: 0)
        }
        return actions
    }

    private mutating func put(
        _ key: InstanceKey, _ instance: ServiceInstance?, _ revision: Int64, _ lease: Int64
    ) -> Action? {
        if let deleted = tombstones[key], revision <= deleted { return nil }
        if let entry = entries[key.id] {
            let isElsewhere = entry.name != key.name
            guard revision > entry.revision else {
                if isElsewhere, revision < entry.revision { strays[key] = revision }
                return nil
            }
            guard instance != nil else {
                // Somebody has written nonsense over it.
                if !isElsewhere { orphan(key.id, revision: revision) }
                return nil
            }
            if isElsewhere, entry.revision > 0 {
                strays[InstanceKey(name: entry.name, id: key.id)] = entry.revision
            }
        }
        guard let instance else { return nil }
        entries[key.id] = Entry(name: key.name, revision: revision, lease: lease)
        orphans[key.id] = nil
        return .put(instance)
    }

    private mutating func delete(_ key: InstanceKey, _ revision: Int64, _ isDeliberate: Bool) -> Action? {
        strays[key] = nil
        guard let entry = entries[key.id], entry.name == key.name, entry.revision < revision else { return nil }
        guard isDeliberate else {
            orphan(key.id, revision: 0)
            return nil
        }
        forget(key.id)
        return .remove(id: key.id)
    }

    private mutating func orphan(_ id: String, revision: Int64) {
        if orphans[id] == nil { orphans[id] = Orphan(lease: entries[id]?.lease ?? 0) }
        _ = entries.withValue(of: id) { entry in
            entry.revision = revision
            entry.lease = 0
        }
    }

    // MARK: What this node does

    /// An instance that this node has written.
    mutating func wrote(_ id: String, _ entry: Entry) {
        if let old = entries[id], old.name != entry.name {
            tombstones[InstanceKey(name: old.name, id: id)] = entry.revision
        }
        entries[id] = entry
        orphans[id] = nil
    }

    /// An instance that this node has deleted.
    mutating func deleted(_ id: String, at revision: Int64) {
        if let entry = entries[id] { tombstones[InstanceKey(name: entry.name, id: id)] = revision }
        forget(id)
    }

    /// An instance of which nothing but itself is known, from a snapshot.
    mutating func remember(_ id: String, name: String) {
        entries[id] = Entry(name: name, revision: 0, lease: 0)
    }

    /// A lease that etcd does not know.
    mutating func lost(lease: Int64, of id: String) {
        guard let entry = entries[id], entry.lease == lease else { return }
        orphan(id, revision: entry.revision)
    }

    /// An instance that is gone.
    mutating func forget(_ id: String) {
        entries[id] = nil
        orphans[id] = nil
    }

    /// Orphans that nothing has kept alive for a time.
    ///
    /// - Parameter isAlive: whether heartbeats come here.
    mutating func doubt(
        now: ContinuousClock.Instant, patience: Duration, isAlive: (_ id: String) -> Bool
    ) -> [String] {
        orphans.compactMap { id, orphan in
            if orphan.isToBeRestored || isAlive(id) { return nil }
            guard let since = orphan.doubtedSince else {
                orphans[id]?.doubtedSince = now
                return nil
            }
            return since.duration(to: now) >= patience ? id : nil
        }
    }

    /// A stray that was dealt with.
    mutating func swept(_ key: InstanceKey) {
        strays[key] = nil
    }

    /// Everything up to a revision has been seen.
    mutating func caughtUp(to revision: Int64) {
        if !tombstones.isEmpty { tombstones = tombstones.filter { $0.value > revision } }
    }
}

/// What happens to the key of an instance.
enum EtcdChange: Sendable, Equatable {
    /// `instance` is `nil` when the value is none; `lease` is 0 when there is none.
    case put(InstanceKey, ServiceInstance?, revision: Int64, lease: Int64)
    /// `isDeliberate`: somebody has deregistered it; otherwise its lease has ended, as far as is known.
    case delete(InstanceKey, revision: Int64, isDeliberate: Bool)
}
