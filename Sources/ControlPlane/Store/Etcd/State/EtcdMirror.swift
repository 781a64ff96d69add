import Synchronization

/// What this node knows about the instances in etcd, and what it shows of them: the replica, and the view that follows
/// it.
///
/// It owns both and changes them together. Reports of the watch, and what transactions have found and done, all go
/// through the replica. Its actions are applied to the view before anybody else can read either.
final class EtcdMirror: Sendable {
    /// How long an instance stays after its lease has ended: the node that receives its heartbeats may be late.
    private static let orphanPatience = Duration.milliseconds(300)

    /// What must be written for a group of changes.
    struct Plan {
        /// One for each instance.
        var writes: [EtcdWrite]
        /// The ids of instances that get a whole ttl.
        var renewed: Set<String>
        /// The history of etcd that the plan is based on.
        var history: Int
    }

    /// Instances to be written again as they are shown.
    struct Restoration {
        var writes: [EtcdWrite]
        /// The history of etcd that the writes are based on.
        var history: Int
        /// The revision up to which everything is known.
        var seen: Int64
    }

    /// How far this node is after taking in the news.
    struct Progress {
        /// The revision up to which everything is known.
        var seen: Int64
        /// Whether etcd's revisions have begun anew.
        var isNewHistory: Bool
        /// The number of instances whose keys or leases are gone.
        var orphanCount: Int
    }

    let view = InstanceView()
    let replica = Mutex(EtcdReplica())
    /// What a group under way changes, by id, and why: the watch may tell of it before etcd has answered.
    private let own = Mutex<[String: EtcdOwnReasons]>([:])

    // MARK: News

    /// Takes in news, and decides about instances whose leases have ended: those whose heartbeats arrive here live and
    /// are written again; the others go.
    ///
    /// - Parameter isHolding: whether all of them stay for now, as after an outage.
    func adopt(_ items: [EtcdInbox.Item], isHolding: Bool, now: Moment) -> Progress {
        replica.withLock { replica in
            let history = replica.history
            for item in items { apply(replica.adopt(item), now, because: .anotherNode, areEvents: item.isEvents) }
            apply(replica.takeLeaving(), now, because: .anotherNode)
            if !isHolding {
                let silent = replica.doubt(now: now.monotonic, patience: Self.orphanPatience) { isAlive($0, now) }
                let gone = braked(silent, replica, now)
                for id in gone { replica.forget(id) }
                apply(gone.map { .remove(id: $0) }, now, because: .expired)
            }
            return Progress(
                seen: replica.seen, isNewHistory: replica.history != history, orphanCount: replica.orphans.count)
        }
    }

    /// The revision up to which everything is known.
    var seen: Int64 { replica.withLock { $0.seen } }

    /// Takes in instances and policies from a snapshot, without their keys' revisions and leases.
    ///
    /// - Parameter revision: the revision up to which everything was known then; 0: unknown.
    func remember(_ instances: [ServiceInstance], _ policies: [NamedPolicy] = [], at revision: Int64, now: Moment) {
        replica.withLock { replica in
            replica.remember(instances.map { InstanceKey(name: $0.name, id: $0.id) }, policies, at: revision)
            apply(policies.map { .policy(name: $0.name, $0.policy) }, now, because: .loaded)
            apply(instances.map { .put($0) }, now, because: .loaded)
        }
    }

    /// Notes leases that etcd does not know.
    func lost(_ leases: some Sequence<(id: String, lease: Int64)>) {
        replica.withLock { replica in
            for (id, lease) in leases { replica.lost(lease: lease, of: id) }
        }
    }

    /// Applies the replica's actions to the view.
    ///
    /// - Parameter areEvents: whether the watch tells of these very changes.
    private func apply(
        _ actions: [EtcdReplica.Action], _ now: Moment, because reason: ChangeReason, areEvents: Bool = false
    ) {
        if actions.isEmpty { return }
        let reasons = own.withLock { own in
            actions.map { action in
                defer { own[action.id]?.note(action) }
                return own[action.id]?.reason(for: action, isEvent: areEvents) ?? reason
            }
        }
        var rest = actions.indices
        while !rest.isEmpty {
            let slice = rest.prefix(InstanceView.sliceLength)
            rest = rest.dropFirst(InstanceView.sliceLength)
            view.withTable { table in
                for index in slice { Self.apply(actions[index], to: &table, now, because: reasons[index]) }
            }
        }
    }

    private static func apply(
        _ action: EtcdReplica.Action, to table: inout InstanceTable, _ now: Moment, because reason: ChangeReason
    ) {
        switch action {
        case .put(let instance):
            let known = table.instance(id: instance.id)
            // If heartbeats arrive here, this node knows the deadline and keeps the lease; otherwise another node knows
            // it, or etcd, as for one that the brake holds.
            let deadline = known?.instance.isHeld == true ? nil : known?.lease.deadline
            var isHeardHere = deadline != nil && instance.ttlSeconds > 0
            var instance = instance
            if instance.isHeld {
                // Another node has not heard from it, but this one has.
                isHeardHere = deadline.map { $0 > now.monotonic } ?? false
                instance.isHeld = !isHeardHere
            }
            table.put(
                instance,
                lease: isHeardHere ? nil : Lease(heardElsewhereWithTTLSeconds: instance.ttlSeconds, now: now),
                because: reason)
        case .remove(let id):
            table.remove(id: id, because: reason)
        case .policy(let name, let policy):
            table.setPolicy(policy, of: name, because: reason)
        }
    }

    // MARK: Policies

    /// What a change of a policy expects of its key.
    struct PolicyKey {
        /// 0: there is no such key.
        var revision: Int64
        /// The history of etcd that it belongs to.
        var history: Int
    }

    func policyKey(of name: String) -> PolicyKey {
        replica.withLock { PolicyKey(revision: $0.policies.keyRevision(of: name), history: $0.history) }
    }

    /// Takes in a policy that this node has written. The watch may have reported a later one already.
    ///
    /// - Returns: whether etcd still has the history in which it was written.
    func settle(
        _ policy: ServicePolicy?, of name: String, at revision: Int64, history: Int,
        because reason: ChangeReason = .request
    ) -> Bool {
        replica.withLock { replica in
            guard replica.history == history else { return false }
            if replica.adopt(policy, of: name, at: revision, isThere: policy != nil) != nil {
                view.withTable { $0.setPolicy(policy, of: name, because: reason) }
            }
            return true
        }
    }

    /// Some policies that etcd has lost with all its data.
    func lostPolicies(limit: Int) -> [(name: String, policy: ServicePolicy, history: Int)] {
        replica.withLock { replica in
            replica.policies.lost.sorted().prefix(limit).compactMap { name in
                replica.policies.policy(of: name).map { (name, $0, replica.history) }
            }
        }
    }

    /// Notes that one of them was written again.
    func restored(_ policy: ServicePolicy, of name: String, at revision: Int64, history: Int) {
        replica.withLock { replica in
            guard replica.history == history, replica.policies.lost.contains(name) else { return }
            // The view has it already.
            _ = replica.adopt(policy, of: name, at: revision, isThere: true)
        }
    }

    // MARK: Leases

    /// The leases of those instances that have one.
    func leases(of ids: some Sequence<String>) -> [(id: String, lease: Int64)] {
        replica.withLock { $0.leases(of: ids) }
    }

    /// The ids of all instances that have a lease.
    var leasedIDs: [String] { replica.withLock { replica in replica.leases(of: replica.ids).map(\.id) } }

    func instance(_ id: String) -> RegisteredInstance? { view.withTable { $0.instance(id: id) } }

    /// Whether a heartbeat that arrived here keeps an instance alive.
    func isAlive(_ id: String, _ now: Moment) -> Bool {
        guard let deadline = instance(id)?.lease.deadline else { return false }
        return deadline > now.monotonic
    }

    /// Those instances whose heartbeats were heard here after some time.
    func heardOf(_ ids: Set<String>, after moment: Moment) -> [String] {
        ids.filter { id in
            guard let registered = instance(id), let deadline = registered.lease.deadline else { return false }
            return deadline > moment.monotonic.advanced(by: .seconds(registered.instance.ttlSeconds))
        }
    }

    // MARK: Changes

    /// The instances to be changed or deregistered whose keys were found missing, while the watch has not told why. If
    /// one of them has moved to another name, this node's knowledge of it is not what the change refers to.
    func undecidedIDs(of changes: [StoreChange]) -> Set<String> {
        replica.withLock { replica in
            if replica.orphans.isEmpty { return [] }
            return changes.reduce(into: []) { ids, change in
                if case .register = change { return }
                if let orphan = replica.orphans[change.id], orphan.foundAt > replica.seen { ids.insert(change.id) }
            }
        }
    }

    /// What is known of the instances of some changes.
    func entries(of changes: [StoreChange]) -> [EtcdReplica.Entry?] {
        replica.withLock { replica in changes.map { replica.entry(id: $0.id) } }
    }

    /// The instances of which nothing but results of checks is to be written, and that have no key, as far as is known.
    /// They must not get one by that, because they may have been deregistered. If they are alive, the node that hears
    /// from them writes them again.
    func unkeyedIDs(ofResultsIn changes: [StoreChange]) -> Set<String> {
        var ids: Set<String> = []
        for case .update(let instance, .check) in changes { ids.insert(instance.id) }
        if ids.isEmpty { return [] }
        for change in changes {
            if case .update(_, .check) = change { continue }
            ids.remove(change.id)
        }
        return replica.withLock { replica in ids.filter { replica.entry(id: $0)?.revision ?? 0 == 0 } }
    }

    /// The writes for a group of changes.
    func plan(_ changes: [StoreChange]) -> Plan {
        var order: [String] = []
        var writes: [String: EtcdWrite] = [:]
        var renewed: Set<String> = []
        let history = replica.withLock { replica in
            own.withLock { own in for id in own.keys { own[id]?.notePlan() } }
            var asked: Set<String> = []
            for change in changes {
                if writes[change.id] == nil {
                    order.append(change.id)
                    writes[change.id] = EtcdWrite(id: change.id, known: replica.entry(id: change.id))
                }
                switch change {
                case .register(let instance, _):
                    writes[change.id]?.instance = instance
                    renewed.insert(instance.id)
                    asked.insert(change.id)
                case .update(let instance, let reason):
                    writes[change.id]?.instance = instance
                    if reason.kind == .request { asked.insert(change.id) }
                // Policies are written on their own.
                case .policy: break
                case .deregister:
                    // An instance that is unknown here, or was forgotten, may still be there or be written again.
                    if let write = writes[change.id], write.known == nil {
                        writes[change.id]?.known =
                            write.instance.map { EtcdReplica.Entry(name: $0.name, revision: 0, lease: 0) }
                            ?? replica.departure(of: change.id)
                    }
                    writes[change.id]?.instance = nil
                    asked.insert(change.id)
                }
            }
            // A result of a check makes nothing newer: somebody may know a newer value, or another key.
            for id in order where !asked.contains(id) {
                guard let known = writes[id]?.known else { continue }
                writes[id]?.origin = StoredOrigin(asOf: known.origin.asOf, rank: known.rank)
            }
            return replica.history
        }
        // For an instance that was forgotten in the meantime there is nothing to write.
        let all = order.compactMap { writes[$0] }.filter { $0.known != nil || $0.instance != nil }
        return Plan(writes: all, renewed: renewed, history: history)
    }

    /// Takes in the results of a group. The watch may have reported later changes of others already, so the view
    /// changes only where the replica says that this group's write is the newest.
    ///
    /// - Parameters:
    ///   - history: the history of etcd that the writes were based on.
    ///   - now: a time before any lease was granted.
    func settle(
        _ changes: [StoreChange], _ writes: [EtcdWrite], _ outcomes: [EtcdWriteResult], history: Int, now: Moment
    ) -> [StoreResult] {
        replica.withLock { replica in
            var results: [String: EtcdWriteResult] = [:]
            var newest: Set<String> = []
            var told: Set<String> = []
            for (write, outcome) in zip(writes, outcomes) {
                results[write.id] = outcome
                guard case .kept(let revision) = outcome else { continue }
                guard replica.history == history else {
                    results[write.id] = .unavailable(.historyLost)
                    continue
                }
                if replica.hasSeen(write, at: revision) { told.insert(write.id) }
                if replica.settle(write, at: revision) != nil {
                    newest.insert(write.id)
                } else if write.instance == nil, replica.entry(id: write.id) == nil {
                    // The instance came and went within the group, or others have deregistered it too: either way the
                    // view ends up without it. What the watch has told of is not told again.
                    if !isRemovalTold(write.id) { newest.insert(write.id) }
                } else if replica.isElsewhere(write, at: revision) {
                    results[write.id] = .conflict
                }
            }
            // Of what the watch has told of, only the last change is made again: those before it would undo, for a
            // moment, what is shown already.
            var repeated: Set<String> = []
            let isMade = changes.reversed().map { change in
                if results[change.id] == nil { return true }
                guard newest.contains(change.id) else { return false }
                return !told.contains(change.id) || repeated.insert(change.id).inserted
            }.reversed()
            var kept = view.apply(zip(changes, isMade).filter(\.1).map(\.0), now: now)[...]
            return zip(changes, isMade).map { change, isMade in
                switch results[change.id] {
                case nil: .kept(kept.popFirst() ?? nil)
                case .kept where isMade: .kept(kept.popFirst() ?? nil)
                case .kept: .kept(overtaken(change, now))
                case .conflict: .conflict
                case .unavailable(let error): .unavailable(StoreUnavailable(reason: "etcd: \(error.reason)"))
                }
            }
        }
    }

    /// Whether the watch has told that an instance is gone that the group under way removes.
    private func isRemovalTold(_ id: String) -> Bool {
        own.withLock { own in own[id].map { $0.removal != nil && $0.isRemovalTold } ?? false }
    }

    /// The result of a change that was kept, but that others, or later ones of its group, have superseded since.
    private func overtaken(_ change: StoreChange, _ now: Moment) -> RegisteredInstance? {
        switch change {
        case .register(let instance, _):
            return RegisteredInstance(instance: instance, lease: Lease(ttlSeconds: instance.ttlSeconds, now: now))
        case .update(let instance, _):
            let lease = self.instance(instance.id)?.lease
            let unheard = Lease(heardElsewhereWithTTLSeconds: instance.ttlSeconds, now: now)
            return RegisteredInstance(instance: instance, lease: lease ?? unheard)
        case .deregister, .policy:
            return nil
        }
    }

    // MARK: Instances whose leases have ended

    /// Whether there are any, or such as the brake holds.
    var hasNews: Bool { replica.withLock { !$0.orphans.isEmpty || !$0.held.isEmpty } }

    /// Those that are alive, with the leases that they had.
    func orphansAlive(limit: Int, now: Moment) -> [(id: String, lease: Int64)] {
        replica.withLock { replica in
            replica.decidableOrphans.lazy.filter { $0.value.isToBeRestored || self.isAlive($0.key, now) }.prefix(limit)
                .map { ($0.key, $0.value.lease) }.sorted { $0.0 < $1.0 }
        }
    }

    /// Notes that the keys of these were not deleted by this program: they leave.
    ///
    /// - Parameter orphans: with the leases by which that was found out.
    func leave(_ orphans: some Sequence<(id: String, lease: Int64)>) {
        replica.withLock { replica in
            for (id, lease) in orphans { replica.leave(id, lease: lease) }
        }
    }

    /// Notes that some instances are about to be changed or deregistered, until ``endDeparture()``.
    func beginDeparture(in changes: [StoreChange]) {
        var reasons: [String: EtcdOwnReasons] = [:]
        var ids: Set<String> = []
        for change in changes {
            if case .deregister(let id, let reason) = change {
                ids.insert(id)
                reasons[id, default: EtcdOwnReasons()].removal = reason
            } else {
                reasons[change.id, default: EtcdOwnReasons()].change = change.reason
            }
        }
        own.withLock { [reasons] in $0 = reasons }
        replica.withLock { $0.beginDeparture(of: ids) }
    }

    /// Notes that this node is about to write the policy of a service; ``endDeparture()`` is to follow.
    func beginPolicy(of name: String, because reason: ChangeReason) {
        own.withLock { $0 = [EtcdReplica.Action.policyID(name): EtcdOwnReasons(change: reason)] }
    }

    /// See ``EtcdReplica/endDeparture()``.
    func endDeparture() {
        own.withLock { $0 = [:] }
        replica.withLock { $0.endDeparture() }
    }

    /// The writes that restore some of these orphans.
    func restoration(of ids: [String]) -> Restoration {
        replica.withLock { replica in
            let writes = ids.compactMap { id -> EtcdWrite? in
                // An instance that was deregistered or changed in the meantime must not be brought back as it was.
                guard replica.orphans[id] != nil, let known = replica.entry(id: id),
                    let instance = instance(id)?.instance
                else { return nil }
                // As of no earlier than the old value, so that what was older stays older.
                let origin = StoredOrigin(asOf: max(replica.seen, known.knownUpTo))
                return EtcdWrite(id: id, known: known, instance: instance, origin: origin)
            }
            return Restoration(writes: writes, history: replica.history, seen: replica.seen)
        }
    }

    // MARK: Keys that are left over

    /// Some left-over keys of instances that have another key by now, with the keys' revisions.
    func strays(limit: Int) -> [(key: InstanceKey, revision: Int64)] {
        replica.withLock { $0.strays }.prefix(limit).map { ($0.key, $0.value.revision) }.sorted { $0.1 < $1.1 }
    }

    /// Notes that one of them was dealt with.
    func swept(_ key: InstanceKey, at revision: Int64) {
        replica.withLock { $0.swept(key, at: revision) }
    }
}

extension EtcdError {
    fileprivate static let historyLost = EtcdError(kind: .unavailable, reason: "it has lost its data meanwhile")
}

extension StoreChange {
    /// The id of the instance that it changes, or the service whose policy.
    var id: String {
        switch self {
        case .register(let instance, _), .update(let instance, _): instance.id
        case .deregister(let id, _): id
        case .policy(let name, _, _): name
        }
    }
}

extension EtcdInbox.Item {
    /// Whether the watch tells of changes one by one.
    fileprivate var isEvents: Bool {
        if case .changes = self { true } else { false }
    }
}

extension EtcdReplica.Action {
    /// The id of the instance that it is about; for a policy, what is no id.
    fileprivate var id: String {
        switch self {
        case .put(let instance): instance.id
        case .remove(let id): id
        case .policy(let name, _): Self.policyID(name)
        }
    }

    fileprivate static func policyID(_ name: String) -> String { "policy/\(name)" }
}
