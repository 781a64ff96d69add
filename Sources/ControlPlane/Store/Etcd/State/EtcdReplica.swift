/// What is known about the keys in etcd. Pure: it has neither clock nor connection.
///
/// News arrives in three ways: the watch reports every change in the order of revisions, this node learns the results
/// of its own writes, and a transaction that fails returns what it found instead. They overtake each other, so each is
/// compared by revision with what is known, and the view follows only the actions returned here. An instance whose key
/// is gone without a deregistration becomes an orphan: its lease has ended, but if its heartbeats arrive at this node,
/// it is alive nevertheless.
struct EtcdReplica: Sendable {
    /// An instance whose key or lease is gone.
    struct Orphan: Sendable, Equatable {
        /// The lease that it had; 0: none.
        var lease: Int64
        /// Whether to write it again even without heartbeats: etcd has lost everything, or has an older value of it.
        var isToBeRestored = false
        /// The revision at which its key was found missing. The reason is known once the watch has reached it.
        var foundAt: Int64 = 0
        /// When this node first found that nothing keeps the instance alive here; `nil`: not yet.
        var doubtedSince: ContinuousClock.Instant?
    }

    /// What to do with an instance in the view.
    enum Action: Sendable, Equatable {
        case put(ServiceInstance)
        case remove(id: String)
        /// The policy of a service; `nil`: none.
        case policy(name: String, ServicePolicy?)
    }

    /// An instance that this node has deleted, while the watch has not reported that yet.
    private struct Tombstone {
        var name: String
        /// The revision at which its key was deleted.
        var revision: Int64
    }

    /// A key of an instance that has another one by now, or was deregistered under another one.
    struct Stray: Sendable, Equatable {
        /// The revision of the key's last change.
        var revision: Int64
        /// See ``Entry/rank``.
        var rank: Int64

        fileprivate init(_ revision: Int64, _ origin: StoredOrigin) {
            (self.revision, rank) = (revision, origin.rank(at: revision))
        }

        fileprivate init(_ entry: Entry) { (revision, rank) = (entry.revision, entry.rank) }
    }

    private var entries = ShardedDictionary<Entry>()
    private(set) var policies = EtcdPolicies()
    private var tombstones: [String: Tombstone] = [:]
    /// Instances whose key or lease is gone.
    private(set) var orphans: [String: Orphan] = [:]
    /// Instances of which etcd has that the brake holds them.
    private(set) var held: Set<String> = []
    /// Orphans whose keys were not deleted by this program. They are remembered because their leases are given back: a
    /// second check would find no lease, and take them for instances whose leases have ended.
    private var leaving: Set<String> = []
    /// The instances that this node is deregistering, or was last, with their services. While it does, none of them is
    /// dropped as expired: if a lease ends in between, the next attempt still knows the instance. Even one that is no
    /// longer known, because everything was read anew, must leave a trace in etcd.
    private var departing: [String: String] = [:]
    private var isDeparting = false
    /// Left-over keys: to be deleted.
    private(set) var strays: [InstanceKey: Stray] = [:]
    /// The revision up to which everything was seen.
    private(set) var seen: Int64 = 0
    /// Counts the histories of etcd: revisions of different histories can't be compared.
    private(set) var history = 0

    /// What is known about the instance with that id.
    func entry(id: String) -> Entry? { entries[id] }

    /// The leases of those instances that have one.
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

    /// Takes in a piece of news.
    ///
    /// - Returns: the actions for the view, in order.
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
        case .put(let key, let instance, let revision, let lease, let origin):
            return put(key, instance, revision, lease, origin)
        case .delete(let key, let revision, let isDeliberate):
            return delete(key, revision, isDeliberate)
        case .missing(let key, let revision):
            guard let entry = entries[key.id], entry.name == key.name, entry.latest < revision else { return nil }
            orphan(key.id, revision: 0, foundAt: revision)
            return nil
        case .policy(let name, let policy, let revision, let isThere):
            return adopt(policy, of: name, at: revision, isThere: isThere)
        }
    }

    /// Takes in what the policy of a service is.
    mutating func adopt(
        _ policy: ServicePolicy?, of name: String, at revision: Int64, isThere: Bool
    ) -> Action? {
        let isNews = policies.adopt(policy, of: name, revision: revision, isThere: isThere)
        return isNews ? .policy(name: name, policy) : nil
    }

    /// Takes in the complete state at a revision, in place of the changes that led there.
    ///
    /// - Parameters:
    ///   - isWiped: whether etcd has lost its data: then everything here is written to it again.
    ///   - deregisteredAt: the revision of the last deregistration.
    private mutating func replaceAll(
        with values: [EtcdChange], at revision: Int64, isWiped: Bool, deregisteredAt: Int64
    ) -> [Action] {
        // An etcd that was restored from a backup has lost what came after it.
        let isWiped = isWiped || revision < seen
        if isWiped {
            history += 1
            policies.lose()
            held = []
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
        var presentPolicies: Set<String> = []
        for value in values {
            if case .put(let key, _, _, _, _) = value { present.insert(key) }
            if case .policy(let name, _, _, _) = value { presentPolicies.insert(name) }
            if let action = adopt(value) { actions.append(action) }
        }
        if !isWiped {
            // It is unknown which instances were deregistered: each missing one may have been, or may have changed
            // before its lease ended. Writing those again that send heartbeats here could bring that one back. An
            // instance that is alive registers again once its heartbeat is refused.
            let hasMissedDeregistrations = deregisteredAt > seen
            for id in ids {
                guard let entry = entries[id] else { continue }
                let key = InstanceKey(name: entry.name, id: id)
                if present.contains(key) { continue }
                // One that etcd has lost with all others must still be written; one from a snapshot counts as of the
                // snapshot.
                let isFromBefore = entry.latest > 0 ? entry.latest < revision : seen > 0 && orphans[id] == nil
                if hasMissedDeregistrations, isFromBefore {
                    forget(id)
                    actions.append(.remove(id: id))
                } else {
                    _ = adopt(.missing(key, revision: revision))
                }
            }
        }
        actions += policies.keep(presentPolicies, at: revision).map { .policy(name: $0, nil) }
        strays = strays.filter { $0.value.revision > revision || present.contains($0.key) }
        seen = revision
        tombstones = tombstones.filter { $0.value.revision > revision }
        return actions
    }

    private mutating func put(
        _ key: InstanceKey, _ instance: ServiceInstance?, _ revision: Int64, _ lease: Int64, _ origin: StoredOrigin
    ) -> Action? {
        if let stray = strays[key] {
            // Results of checks do not make it newer.
            guard revision > stray.revision, origin.rank(at: revision) > stray.rank else {
                strays[key]?.revision = max(revision, stray.revision)
                return nil
            }
            strays[key] = nil
        }
        if let deleted = tombstones[key.id] {
            if deleted.name == key.name {
                if revision <= deleted.revision { return nil }
            } else if origin.rank(at: revision) <= deleted.revision {
                strays[key] = Stray(revision, origin)
                return nil
            }
        }
        if let entry = entries[key.id] {
            let isElsewhere = entry.name != key.name
            if !isElsewhere, let instance, entry.isOlder(than: revision, origin) {
                return renew(instance, revision, origin)
            }
            guard isElsewhere ? entry.isBelow(revision, origin) : revision > entry.latest else {
                if isElsewhere, revision != entry.latest { strays[key] = Stray(revision, origin) }
                return nil
            }
            guard instance != nil else {
                // Somebody has overwritten it with a malformed value.
                if !isElsewhere, revision > entry.revision { orphan(key.id, revision: revision) }
                return nil
            }
            if !isElsewhere, revision < entry.revision { return renewOrphan(instance, revision, origin) }
            if !isElsewhere, entry.isUnknown(origin) {
                overwrite(key.id, revision: revision)
                return nil
            }
            if isElsewhere, entry.revision > 0 {
                strays[InstanceKey(name: entry.name, id: key.id)] = Stray(entry)
            }
        }
        guard let instance else { return nil }
        let new = Entry(name: key.name, revision: revision, lease: lease, origin: origin)
        enter(key, new, isHeld: instance.isHeld)
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

    private mutating func enter(_ key: InstanceKey, _ entry: Entry, isHeld: Bool) {
        if isHeld { held.insert(key.id) } else { held.remove(key.id) }
        entries[key.id] = entry
        orphans[key.id] = nil
        leaving.remove(key.id)
        tombstones[key.id] = nil
        strays[key] = nil
    }

    /// Notes that an older value was written again over what is known here: that is written once more, over it. The key
    /// was gone when the restoration arrived, and so nothing in etcd could refuse it.
    private mutating func overwrite(_ id: String, revision: Int64) {
        orphan(id, revision: revision)
        orphans[id]?.isToBeRestored = true
    }

    /// Takes in a value that this node, or another one, has written over without having heard of it: it is written once
    /// more.
    private mutating func renew(_ instance: ServiceInstance, _ revision: Int64, _ origin: StoredOrigin) -> Action {
        // The key's present lease is no sign that anybody has deleted the key.
        orphans[instance.id] = Orphan(lease: 0, isToBeRestored: true)
        held.remove(instance.id)
        _ = entries.withValue(of: instance.id) { ($0.lease, $0.latest, $0.origin) = (0, revision, origin) }
        return .put(instance)
    }

    /// Takes in what an orphan was before its key was deleted or overwritten: it is written again like that.
    private mutating func renewOrphan(
        _ instance: ServiceInstance?, _ revision: Int64, _ origin: StoredOrigin
    ) -> Action? {
        guard let instance, orphans[instance.id] != nil else { return nil }
        if let entry = entries[instance.id], entry.isUnknown(origin) { return nil }
        _ = entries.withValue(of: instance.id) { ($0.latest, $0.origin) = (revision, origin) }
        return .put(instance)
    }

    private mutating func orphan(_ id: String, revision: Int64, latest: Int64 = 0, foundAt: Int64 = 0) {
        var orphan = orphans[id] ?? Orphan(lease: entries[id]?.lease ?? 0)
        orphan.foundAt = max(orphan.foundAt, foundAt)
        orphans[id] = orphan
        held.remove(id)
        if revision != 0 { leaving.remove(id) }
        _ = entries.withValue(of: id) { entry in
            entry.revision = revision
            entry.lease = 0
            entry.latest = max(entry.latest, latest)
        }
    }

    private mutating func caughtUp(to revision: Int64) {
        seen = max(seen, revision)
        policies.caughtUp(to: seen)
        if !tombstones.isEmpty { tombstones = tombstones.filter { $0.value.revision > seen } }
    }

    // MARK: What this node does

    /// Takes in a write or deletion of this node that etcd has kept. Others may have changed the key since, and this
    /// node may know that already.
    ///
    /// - Returns: the action for the view; `nil`: what the view has is as new or newer.
    mutating func settle(_ write: EtcdWrite, at revision: Int64) -> Action? {
        if let instance = write.instance { return wrote(write, instance, revision) }
        guard let known = write.known else { return nil }
        let key = InstanceKey(name: known.name, id: write.id)
        strays[key] = nil
        let entry = entries[write.id]
        if let entry, entry.name != key.name || entry.latest >= revision { return nil }
        if revision > seen {
            tombstones[write.id] = Tombstone(name: key.name, revision: revision)
        }
        if entry == nil { return nil }
        forget(write.id)
        return .remove(id: write.id)
    }

    /// Whether the watch has reported a write of this node already, and nothing newer.
    func hasSeen(_ write: EtcdWrite, at revision: Int64) -> Bool {
        guard let instance = write.instance, let entry = entries[write.id] else { return false }
        return entry.name == instance.name && entry.revision == revision
    }

    /// Whether an instance that this node has deleted exists nevertheless: under another name, and since before that.
    func isElsewhere(_ write: EtcdWrite, at revision: Int64) -> Bool {
        guard write.instance == nil, let known = write.known, let entry = entries[write.id] else { return false }
        return entry.name != known.name && entry.rank < revision
    }

    private mutating func wrote(_ write: EtcdWrite, _ instance: ServiceInstance, _ revision: Int64) -> Action? {
        let key = InstanceKey(name: instance.name, id: write.id)
        let entry = entries[write.id]
        if hasSeen(write, at: revision) { return .put(instance) }
        guard revision > seen else {
            // The key has changed or gone since: otherwise the watch, or the complete state, would have shown it.
            guard let entry, entry.name == key.name, revision > entry.latest else { return nil }
            return renewOrphan(instance, revision, write.origin)
        }
        if let deleted = tombstones[write.id], revision <= deleted.revision { return nil }
        if let entry {
            let isElsewhere = entry.name != key.name
            guard isElsewhere ? entry.isBelow(revision, write.origin) : revision > entry.latest else {
                if isElsewhere { strays[key] = Stray(revision, write.origin) }
                return nil
            }
            if !isElsewhere, entry.isUnknown(write.origin) {
                overwrite(write.id, revision: revision)
                return nil
            }
            // The write has deleted the key that it knew; any other key was unknown to it and is left over.
            if isElsewhere, write.known?.name != entry.name, entry.revision > 0 {
                strays[InstanceKey(name: entry.name, id: write.id)] = Stray(entry)
            }
        }
        let new = Entry(name: key.name, revision: revision, lease: write.lease, origin: write.origin)
        enter(key, new, isHeld: instance.isHeld)
        return .put(instance)
    }

    /// Takes in instances and policies from a snapshot, without their keys' revisions and leases.
    ///
    /// - Parameter revision: the revision up to which everything was known then; 0: unknown.
    mutating func remember(_ keys: [InstanceKey], _ policies: [NamedPolicy] = [], at revision: Int64) {
        self.policies.remember(policies)
        for key in keys { entries[key.id] = Entry(name: key.name, revision: 0, lease: 0) }
        seen = revision
    }

    /// Notes a lease that etcd does not know.
    mutating func lost(lease: Int64, of id: String) {
        guard lease != 0, let entry = entries[id], entry.lease == lease else { return }
        orphan(id, revision: entry.revision)
    }

    /// Drops everything known about an instance.
    mutating func forget(_ id: String) {
        entries[id] = nil
        orphans[id] = nil
        held.remove(id)
        leaving.remove(id)
    }

    /// Orphans about which everything is known that can be known.
    var decidableOrphans: [String: Orphan] {
        orphans.filter { $0.value.foundAt <= seen && !leaving.contains($0.key) }
    }

    /// Notes that an orphan's key was not deleted by this program. The orphan leaves, unless it has a key by now, or
    /// gets one before ``takeLeaving()``.
    ///
    /// - Parameter lease: the lease by which that was found out; if the orphan has another one by now, it stays.
    mutating func leave(_ id: String, lease: Int64) {
        if orphans[id]?.lease == lease, entries[id]?.revision == 0 { leaving.insert(id) }
    }

    /// Notes that instances are about to be deregistered here.
    mutating func beginDeparture(of ids: Set<String>) {
        var services: [String: String] = [:]
        for id in ids { services[id] = entries[id]?.name ?? departing[id] }
        departing = services
        isDeparting = true
    }

    /// Notes that the deregistration has ended, or is repeated at once.
    mutating func endDeparture() {
        for id in departing.keys { orphans[id]?.doubtedSince = nil }
        isDeparting = false
    }

    /// What is known about an instance to be deregistered, or was known at an earlier attempt.
    func departure(of id: String) -> Entry? {
        entries[id] ?? departing[id].map { Entry(name: $0, revision: 0, lease: 0) }
    }

    /// Drops the orphans that leave.
    ///
    /// - Returns: the actions for the view.
    mutating func takeLeaving() -> [Action] {
        let gone = leaving.sorted()
        for id in gone { forget(id) }
        return gone.map { .remove(id: $0) }
    }

    /// The orphans that nothing has kept alive for `patience`.
    ///
    /// - Parameter isAlive: whether heartbeats of an instance arrive here.
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

    /// Notes that a left-over key was dealt with.
    mutating func swept(_ key: InstanceKey, at revision: Int64) {
        if strays[key]?.revision == revision { strays[key] = nil }
    }
}
