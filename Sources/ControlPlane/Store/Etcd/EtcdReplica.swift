/// What is known of the keys in etcd: pure, with no clock and no connection.
///
/// News come in three ways: a watch tells of every change in the order of revisions, this node learns what became of
/// its own writes, and a transaction that failed has found what is there instead. The three overtake each other, so
/// that every one of them is held against what is known by its revision, and the view follows the actions returned
/// here alone. An instance whose key is gone without anybody having deregistered it becomes an orphan: its lease has
/// ended, but who sends heartbeats to this node is alive all the same.
struct EtcdReplica: Sendable {
    /// What is known of an instance.
    struct Entry: Sendable, Equatable {
        var name: String
        /// When its key was changed last; 0: etcd has no such key.
        var revision: Int64
        /// 0: none.
        var lease: Int64
        /// The revision of the last news of what it is, or that it is gone: what is not newer is old.
        var latest: Int64
        /// See ``EtcdWrite/asOf``.
        var asOf: Int64?

        /// - Parameter latest: otherwise the same as `revision`.
        init(name: String, revision: Int64, lease: Int64, latest: Int64? = nil, asOf: Int64? = nil) {
            self.name = name
            self.revision = revision
            self.lease = lease
            self.latest = latest ?? revision
            self.asOf = asOf
        }

        /// As of when it counts beside another key of the same instance: of several the one with the highest rank is
        /// the instance, and of equals the one that was written last.
        var rank: Int64 { EtcdReplica.rank(revision: latest, asOf: asOf) }

        /// Whether it is older than another key of the same instance.
        fileprivate func isBelow(_ revision: Int64, asOf: Int64?) -> Bool {
            (rank, latest) < (EtcdReplica.rank(revision: revision, asOf: asOf), revision)
        }
    }

    private static func rank(revision: Int64, asOf: Int64?) -> Int64 { min(revision, asOf ?? revision) }

    /// An instance whose key or lease is gone.
    struct Orphan: Sendable, Equatable {
        /// The lease that it had; 0: none.
        var lease: Int64
        /// Whether it is to be written again even if no heartbeat came: etcd has lost everything.
        var isToBeRestored = false
        /// At which revision its key was found missing: only when the watch has come so far is it known why.
        var foundAt: Int64 = 0
        /// When this node has decided first that nothing keeps it alive here; `nil`: not yet.
        var doubtedSince: ContinuousClock.Instant?
    }

    /// What is to be done with the instance of a change.
    enum Action: Sendable, Equatable {
        case put(ServiceInstance)
        case remove(id: String)
    }

    /// An instance that this node has deleted before the watch has told of it.
    private struct Tombstone {
        var name: String
        /// At which revision its key was deleted.
        var revision: Int64
        /// The revision of the last news of it before.
        var latest: Int64
    }

    private var entries = ShardedDictionary<Entry>()
    private var tombstones: [String: Tombstone] = [:]
    /// Instances whose key or lease is gone.
    private(set) var orphans: [String: Orphan] = [:]
    /// Orphans whose keys were deleted with other means than this program. Their leases are given back: who looked at
    /// that once more would take them for some whose leases have ended.
    private var leaving: Set<String> = []
    /// The services of instances that this node is deregistering, or was last. While it does, nobody doubts them: who
    /// met with the end of the lease is still known at the next attempt. Also one that is not, since everything was
    /// read anew, has to leave a trace in etcd.
    private var departing: [String: String] = [:]
    private var isDeparting = false
    /// Keys of instances that have another one by now, at which revision: to be deleted.
    private(set) var strays: [InstanceKey: Int64] = [:]
    /// Up to which revision everything was seen.
    private(set) var seen: Int64 = 0
    /// Counts the histories of etcd: revisions of one say nothing about another.
    private(set) var history = 0

    /// What is known of the instance with that id.
    func entry(id: String) -> Entry? { entries[id] }

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

    // MARK: News

    /// What has come in.
    ///
    /// - Returns: what the view has to do, in order.
    mutating func adopt(_ item: EtcdInbox.Item) -> [Action] {
        switch item {
        case .changes(let changes, let revision):
            let actions = changes.compactMap { change in change.revision > seen ? adopt(change) : nil }
            caughtUp(to: revision)
            return actions
        case .everything(let values, let revision, let isWiped, let deregisteredAt):
            return replaceAll(with: values, at: revision, isWiped: isWiped, deregisteredAt: deregisteredAt)
        case .findings(let changes, let history):
            guard history == self.history else { return [] }
            return changes.compactMap { change in change.revision > seen ? adopt(change) : nil }
        case .own(let writes, let history):
            guard history == self.history else { return [] }
            return writes.compactMap { settle($0.write, at: $0.revision) }
        }
    }

    private mutating func adopt(_ change: EtcdChange) -> Action? {
        switch change {
        case .put(let key, let instance, let revision, let lease, let asOf):
            return put(key, instance, revision, lease, asOf)
        case .delete(let key, let revision, let isDeliberate):
            return delete(key, revision, isDeliberate)
        case .missing(let key, let revision):
            guard let entry = entries[key.id], entry.name == key.name, entry.latest < revision else { return nil }
            orphan(key.id, revision: 0, foundAt: revision)
            return nil
        }
    }

    /// All that etcd has at a revision, in place of the changes that have led there.
    ///
    /// - Parameters:
    ///   - isWiped: whether etcd has lost what it had: it gets everything from here then.
    ///   - deregisteredAt: when somebody was deregistered last.
    private mutating func replaceAll(
        with values: [EtcdChange], at revision: Int64, isWiped: Bool, deregisteredAt: Int64
    ) -> [Action] {
        // One that was set back to a copy of before has lost what came after.
        let isWiped = isWiped || revision < seen
        if isWiped {
            history += 1
            tombstones = [:]
            strays = [:]
            leaving = []
            for id in ids {
                _ = entries.withValue(of: id) { $0 = Entry(name: $0.name, revision: 0, lease: 0) }
                orphans[id] = Orphan(lease: 0, isToBeRestored: true)
            }
        }
        var actions: [Action] = []
        var present: Set<InstanceKey> = []
        present.reserveCapacity(values.count)
        for value in values {
            if case .put(let key, _, _, _, _) = value { present.insert(key) }
            if let action = adopt(value) { actions.append(action) }
        }
        if !isWiped {
            // Nobody tells any more who it was: each that is missing may be, or have changed before its lease ended. To
            // write those again that are heard here would bring that one back; who is alive registers when told so.
            let hasMissedDeregistrations = deregisteredAt > seen
            for id in ids {
                guard let entry = entries[id] else { continue }
                let key = InstanceKey(name: entry.name, id: id)
                if present.contains(key) { continue }
                // One that etcd has lost with all others is still to be written; one from a snapshot is as of then.
                let isFromBefore = entry.latest > 0 ? entry.latest < revision : seen > 0 && orphans[id] == nil
                if hasMissedDeregistrations, isFromBefore {
                    forget(id)
                    actions.append(.remove(id: id))
                } else {
                    _ = adopt(.missing(key, revision: revision))
                }
            }
        }
        strays = strays.filter { $0.value > revision || present.contains($0.key) }
        seen = revision
        tombstones = tombstones.filter { $0.value.revision > revision }
        return actions
    }

    private mutating func put(
        _ key: InstanceKey, _ instance: ServiceInstance?, _ revision: Int64, _ lease: Int64, _ asOf: Int64?
    ) -> Action? {
        if let deleted = tombstones[key.id] {
            if deleted.name == key.name {
                if revision <= deleted.revision { return nil }
            } else if Self.rank(revision: revision, asOf: asOf) <= deleted.latest {
                strays[key] = revision
                return nil
            }
        }
        if let entry = entries[key.id] {
            let isElsewhere = entry.name != key.name
            guard isElsewhere ? entry.isBelow(revision, asOf: asOf) : revision > entry.latest else {
                if isElsewhere, revision != entry.latest { strays[key] = revision }
                return nil
            }
            guard instance != nil else {
                // Somebody has written nonsense over it.
                if !isElsewhere, revision > entry.revision { orphan(key.id, revision: revision) }
                return nil
            }
            if !isElsewhere, revision < entry.revision { return renewOrphan(instance, revision, asOf) }
            if isElsewhere, entry.revision > 0 {
                strays[InstanceKey(name: entry.name, id: key.id)] = entry.revision
            }
        }
        guard let instance else { return nil }
        enter(key, Entry(name: key.name, revision: revision, lease: lease, asOf: asOf))
        return .put(instance)
    }

    private mutating func delete(_ key: InstanceKey, _ revision: Int64, _ isDeliberate: Bool) -> Action? {
        strays[key] = nil
        guard let entry = entries[key.id], entry.name == key.name, entry.latest < revision else { return nil }
        guard isDeliberate else {
            orphan(key.id, revision: 0, latest: revision)
            return nil
        }
        forget(key.id)
        return .remove(id: key.id)
    }

    private mutating func enter(_ key: InstanceKey, _ entry: Entry) {
        entries[key.id] = entry
        orphans[key.id] = nil
        leaving.remove(key.id)
        tombstones[key.id] = nil
        strays[key] = nil
    }

    /// What an orphan was before its key went, or was overwritten: it is written again as that.
    private mutating func renewOrphan(_ instance: ServiceInstance?, _ revision: Int64, _ asOf: Int64?) -> Action? {
        guard let instance, orphans[instance.id] != nil else { return nil }
        _ = entries.withValue(of: instance.id) { ($0.latest, $0.asOf) = (revision, asOf) }
        return .put(instance)
    }

    private mutating func orphan(_ id: String, revision: Int64, latest: Int64 = 0, foundAt: Int64 = 0) {
        var orphan = orphans[id] ?? Orphan(lease: entries[id]?.lease ?? 0)
        orphan.foundAt = max(orphan.foundAt, foundAt)
        orphans[id] = orphan
        if revision != 0 { leaving.remove(id) }
        _ = entries.withValue(of: id) { entry in
            entry.revision = revision
            entry.lease = 0
            entry.latest = max(entry.latest, latest)
        }
    }

    private mutating func caughtUp(to revision: Int64) {
        seen = max(seen, revision)
        if !tombstones.isEmpty { tombstones = tombstones.filter { $0.value.revision > seen } }
    }

    // MARK: What this node does

    /// What this node has written, or deleted, and etcd has kept. Others may have changed it since, and this node may
    /// have heard of that before.
    ///
    /// - Returns: what the view has to do; `nil`: what it has is as new or newer.
    mutating func settle(_ write: EtcdWrite, at revision: Int64) -> Action? {
        if let instance = write.instance { return wrote(write, instance, revision) }
        guard let known = write.known else { return nil }
        let key = InstanceKey(name: known.name, id: write.id)
        strays[key] = nil
        let entry = entries[write.id]
        if let entry, entry.name != key.name || entry.latest >= revision { return nil }
        if revision > seen {
            let latest = entry?.latest ?? max(known.latest, tombstones[write.id]?.latest ?? 0)
            tombstones[write.id] = Tombstone(name: key.name, revision: revision, latest: latest)
        }
        if entry == nil { return nil }
        forget(write.id)
        return .remove(id: write.id)
    }

    /// Whether an instance that this node has deleted is there all the same: under another name, since before.
    func isElsewhere(_ write: EtcdWrite, at revision: Int64) -> Bool {
        guard write.instance == nil, let known = write.known, let entry = entries[write.id] else { return false }
        return entry.name != known.name && entry.latest < revision
    }

    private mutating func wrote(_ write: EtcdWrite, _ instance: ServiceInstance, _ revision: Int64) -> Action? {
        let key = InstanceKey(name: instance.name, id: write.id)
        let entry = entries[write.id]
        // The watch was faster, with the same.
        if let entry, entry.name == key.name, entry.revision == revision { return .put(instance) }
        guard revision > seen else {
            // It is not there any more, or the watch would have told of it, or it was among everything.
            guard let entry, entry.name == key.name, revision > entry.latest else { return nil }
            return renewOrphan(instance, revision, write.asOf)
        }
        if let deleted = tombstones[write.id], revision <= deleted.revision { return nil }
        if let entry {
            let isElsewhere = entry.name != key.name
            guard isElsewhere ? entry.isBelow(revision, asOf: write.asOf) : revision > entry.latest else {
                if isElsewhere { strays[key] = revision }
                return nil
            }
            // The key that was known has been deleted along with it; of another one this node did not know.
            if isElsewhere, write.known?.name != entry.name, entry.revision > 0 {
                strays[InstanceKey(name: entry.name, id: write.id)] = entry.revision
            }
        }
        enter(key, Entry(name: key.name, revision: revision, lease: write.lease, asOf: write.asOf))
        return .put(instance)
    }

    /// Instances of which nothing but themselves is known, from a snapshot.
    ///
    /// - Parameter revision: up to which everything was known then; 0: nobody can tell.
    mutating func remember(_ keys: [InstanceKey], at revision: Int64) {
        for key in keys { entries[key.id] = Entry(name: key.name, revision: 0, lease: 0) }
        seen = revision
    }

    /// A lease that etcd does not know.
    mutating func lost(lease: Int64, of id: String) {
        guard lease != 0, let entry = entries[id], entry.lease == lease else { return }
        orphan(id, revision: entry.revision)
    }

    /// An instance that is gone.
    mutating func forget(_ id: String) {
        entries[id] = nil
        orphans[id] = nil
        leaving.remove(id)
    }

    /// Orphans of which everything is known that there is to know.
    var decidableOrphans: [String: Orphan] {
        orphans.filter { $0.value.foundAt <= seen && !leaving.contains($0.key) }
    }

    /// An orphan's key was deleted with other means than this program: it leaves, unless it has a key by now, or gets
    /// one before ``takeLeaving()``.
    ///
    /// - Parameter lease: the one that tells; with another one by now it says nothing.
    mutating func leave(_ id: String, lease: Int64) {
        if orphans[id]?.lease == lease, entries[id]?.revision == 0 { leaving.insert(id) }
    }

    /// Instances are about to be deregistered here.
    mutating func beginDeparture(of ids: Set<String>) {
        var services: [String: String] = [:]
        for id in ids { services[id] = entries[id]?.name ?? departing[id] }
        departing = services
        isDeparting = true
    }

    /// That is over, or tried again at once.
    mutating func endDeparture() {
        for id in departing.keys { orphans[id]?.doubtedSince = nil }
        isDeparting = false
    }

    /// What is known of an instance that is to be deregistered, or was when that was tried before.
    func departure(of id: String) -> Entry? {
        entries[id] ?? departing[id].map { Entry(name: $0, revision: 0, lease: 0) }
    }

    /// Forgets those that leave.
    ///
    /// - Returns: what the view has to do.
    mutating func takeLeaving() -> [Action] {
        let gone = leaving.sorted()
        for id in gone { forget(id) }
        return gone.map { .remove(id: $0) }
    }

    /// Orphans that nothing has kept alive for a time.
    ///
    /// - Parameter isAlive: whether heartbeats come here.
    mutating func doubt(
        now: ContinuousClock.Instant, patience: Duration, isAlive: (_ id: String) -> Bool
    ) -> [String] {
        orphans.compactMap { id, orphan in
            if orphan.isToBeRestored || orphan.foundAt > seen || isAlive(id) { return nil }
            if isDeparting, departing[id] != nil { return nil }
            guard let since = orphan.doubtedSince else {
                orphans[id]?.doubtedSince = now
                return nil
            }
            return since.duration(to: now) >= patience ? id : nil
        }
    }

    /// A stray that was dealt with.
    mutating func swept(_ key: InstanceKey, at revision: Int64) {
        if strays[key] == revision { strays[key] = nil }
    }
}
