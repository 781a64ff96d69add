/// All instances in memory: by id, by service, in order of registration and by deadline.
///
/// It is a value without clock, lock or I/O. Every operation on one instance costs at most the logarithm of their
/// number.
struct InstanceTable: Sendable {
    private struct Slot: Sendable {
        var registered: RegisteredInstance
        /// The deadline of its entry in the expiry queue, or `nil` if it has none.
        var queuedDeadline: ContinuousClock.Instant?
    }

    private struct Service: Sendable {
        var order = SequenceIndex()
        var counts = StatusCounts()
        var members = ServiceMembers()
        /// The index of the last change of one of its instances.
        var changeIndex: UInt64 = 0
    }

    private var slots = ShardedDictionary<Slot>()
    private var services = ShardedDictionary<Service>()
    private var names = NameIndex()
    private var order = SequenceIndex()
    private var expiry = ExpiryQueue()
    /// The changes since the last publication.
    var journal = ChangeJournal()
    /// Maps a derived id to the substitutes for it: the ids of instances at the same endpoint that were registered
    /// without an id and could not get the derived one. There may be several, if two nodes registered one each.
    private var substitutes = ShardedDictionary<[String]>()
    /// The ids of instances that have checks.
    private(set) var checkedIDs: Set<String> = []
    /// Only tables give sequence numbers from here on. A stored instance with such a number gets the next free one
    /// instead, so that there is room above it however large a number was stored.
    static let sequenceLimit: UInt64 = 3 << 61

    /// The sequence number for the next new instance: above all that were ever in the table.
    private(set) var nextSequence: UInt64 = 1
    /// Instances by status.
    private(set) var counts = StatusCounts()

    /// The policies of services, whether these have instances or not.
    private(set) var policies: [String: ServicePolicy] = [:]

    /// The services of which instances are held by the ``ExpiryBrake``.
    private(set) var held: [String: HeldInstances] = [:]

    /// The number of instances.
    var count: Int { slots.count }
    /// The number of names that the instances have in DNS, including those of protocols and tags.
    private(set) var nameCount = 0
    /// The number of services with at least one instance.
    var serviceCount: Int { services.count }

    /// The instance with that id.
    func instance(id: String) -> RegisteredInstance? {
        slots[id]?.registered
    }

    /// The service that the instance with that id belongs to.
    mutating func service(of id: String) -> String? { slots.withValue(of: id) { $0.registered.instance.name } }

    /// The ids of instances that were registered without an id, but whose derived id belonged to another one. The order
    /// is the same on every node.
    ///
    /// - Parameter derivedID: the id derived from their endpoint.
    func substitutes(for derivedID: String) -> [String] {
        substitutes[derivedID] ?? []
    }

    /// Adds an instance, or replaces the one with its id and keeps its place.
    ///
    /// - Parameters:
    ///   - lease: its new lease; `nil` keeps the lease of a known instance.
    ///   - reason: why, as the journal tells it.
    /// - Returns: the instance in the table, or `nil` if no lease was given and none is known.
    @discardableResult
    mutating func put(
        _ instance: ServiceInstance, lease: Lease?, because reason: ChangeReason = .request
    ) -> RegisteredInstance? {
        let before = slots[instance.id]
        guard let known = lease ?? before?.registered.lease else { return nil }
        // Heartbeats may have come while the registration was on its way to the storage.
        let lease =
            lease.flatMap { lease in
                before.map { before in
                    lease.counting(
                        before.registered.lease, ttls: (before.registered.instance.ttlSeconds, instance.ttlSeconds))
                }
            } ?? known
        var instance = instance
        if let known = before?.registered.instance {
            instance.sequence = known.sequence
        } else if instance.sequence >= Self.sequenceLimit || order.contains(instance.sequence) {
            // In the second case two nodes have given the same number at the same time.
            instance.sequence = nextSequence
        }
        // A repeated registration says nothing about the instance's health.
        var registered = RegisteredInstance(
            instance: instance, lease: lease, health: before?.registered.health ?? InstanceHealth())
        registered.forgetStoredResults(replacing: before?.registered.instance)
        if let old = before?.registered {
            unlink(old, unlessSharing: instance)
        }
        link(registered, unlessSharing: before?.registered.instance)
        note(from: before?.registered, to: registered, because: reason)
        var slot = Slot(registered: registered, queuedDeadline: before?.queuedDeadline)
        if let deadline = lease.deadline, slot.queuedDeadline.map({ deadline < $0 }) ?? true {
            expiry.insert(ExpiryQueue.Entry(deadline: deadline, id: instance.id))
            slot.queuedDeadline = deadline
        }
        slots[instance.id] = slot
        if instance.checks.isEmpty {
            if before?.registered.instance.checks.isEmpty == false { checkedIDs.remove(instance.id) }
        } else {
            checkedIDs.insert(instance.id)
        }
        if instance.sequence >= nextSequence { nextSequence = instance.sequence + 1 }
        compactExpiry()
        return registered
    }

    /// Removes an instance.
    ///
    /// - Parameter reason: why, as the journal tells it.
    /// - Returns: the instance, or `nil` if there is none.
    @discardableResult
    mutating func remove(id: String, because reason: ChangeReason = .request) -> ServiceInstance? {
        guard let registered = slots[id]?.registered else { return nil }
        slots[id] = nil
        if !registered.instance.checks.isEmpty { checkedIDs.remove(id) }
        unlink(registered, unlessSharing: nil)
        note(from: registered, to: nil, because: reason)
        return registered.instance
    }

    /// Sets the health of an instance.
    ///
    /// - Parameter reason: why, as the journal tells it.
    /// - Returns: the change, or `nil` if nothing changes or there is no such instance.
    @discardableResult
    mutating func setHealth(
        _ health: InstanceHealth, of id: String, because reason: ChangeReason = .request
    ) -> InstanceChange? {
        guard let old = slots[id]?.registered, old.health != health else { return nil }
        var new = old
        new.health = health
        return replace(old, by: new, because: reason)
    }

    /// Replaces what is known of an instance, where its registration stays.
    @discardableResult
    private mutating func replace(
        _ old: RegisteredInstance, by new: RegisteredInstance, because reason: ChangeReason
    ) -> InstanceChange? {
        slots.withValue(of: new.instance.id) { $0.registered = new }
        counts[old.status] -= 1
        counts[new.status] += 1
        services.withValue(of: old.instance.name) { service in
            service.counts[old.status] -= 1
            service.counts[new.status] += 1
        }
        uncountHeld(old)
        countHeld(new)
        return note(from: old, to: new, because: reason)
    }

    /// Replaces the policy of a service; `nil`: removes it.
    ///
    /// - Parameter reason: why, as the journal tells it.
    mutating func setPolicy(_ policy: ServicePolicy?, of name: String, because reason: ChangeReason = .request) {
        guard policies[name] != policy else { return }
        policies[name] = policy
        let shown = policy.map { policy in
            var writer = JSONWriter(capacity: 160)
            writer.policy(policy)
            return writer.octets
        }
        journal.notePolicy(of: name, shown, because: reason)
    }

    /// The index of the last change.
    var changeIndex: UInt64 { journal.lastIndex }

    /// The index of the last change of what a service has.
    ///
    /// - Parameter name: `nil`, or a service without instances: that of the last change of all.
    func changeIndex(ofService name: String?) -> UInt64 {
        name.flatMap { services[$0]?.changeIndex } ?? changeIndex
    }

    @discardableResult
    private mutating func note(
        from old: RegisteredInstance?, to new: RegisteredInstance?, because reason: ChangeReason
    ) -> InstanceChange? {
        guard let change = journal.note(from: old, to: new, because: reason) else { return nil }
        if let new { _ = services.withValue(of: new.instance.name) { $0.changeIndex = change.index } }
        if let old, old.instance.name != new?.instance.name {
            _ = services.withValue(of: old.instance.name) { $0.changeIndex = change.index }
        }
        return change
    }

    /// Renews the lease of an instance for a whole ttl.
    ///
    /// - Parameter now: when the heartbeat arrived; heartbeats may get here in another order than they arrived.
    /// - Returns: the lease, or `nil` if there is no such instance.
    mutating func renew(id: String, now: Moment) -> Lease? {
        let lease = slots.withValue(of: id) { slot in
            let lease = Lease(ttlSeconds: slot.registered.instance.ttlSeconds, now: now)
            let known = slot.registered.lease
            if let deadline = lease.deadline, let later = known.deadline, deadline < later {
                // It arrived earlier than another one, or the lease was extended for a pause.
                if lease.lastHeartbeat.millisecondsSince1970 > known.lastHeartbeat.millisecondsSince1970 {
                    slot.registered.lease.lastHeartbeat = lease.lastHeartbeat
                }
                return slot.registered.lease
            }
            slot.registered.lease = lease
            return lease
        }
        if !held.isEmpty, let old = slots[id]?.registered, old.instance.isHeld {
            var new = old
            new.instance.isHeld = false
            replace(old, by: new, because: ExpiryBrake.reason)
        }
        return lease
    }

    // MARK: The brake

    /// The number of a service's instances that their owners have not taken out.
    func presentCount(ofService name: String) -> Int {
        services[name].map { $0.counts.total - $0.counts.draining } ?? 0
    }

    /// Takes instances out of the queue of deadlines whose deadline is at `horizon` or before; ``settle(_:at:isHeld:)``
    /// must follow for each.
    ///
    /// - Parameter limit: how many deadlines may be looked at.
    /// - Returns: the instances, and whether there are no others.
    mutating func takeLapsing(
        before horizon: ContinuousClock.Instant, limit: Int
    ) -> (instances: [LapsingInstance], isComplete: Bool) {
        var lapsing: [LapsingInstance] = []
        for _ in 0..<limit {
            guard let due = expiry.popDue(at: horizon) else { return (lapsing, true) }
            guard let slot = slots[due.id], slot.queuedDeadline == due.deadline else { continue }
            slots.withValue(of: due.id) { $0.queuedDeadline = nil }
            let registered = slot.registered
            guard let deadline = registered.lease.deadline, deadline <= horizon else {
                queue(due.id)
                continue
            }
            let instance = registered.instance
            lapsing.append(
                LapsingInstance(
                    id: due.id, service: instance.name, deadline: deadline, ttlSeconds: instance.ttlSeconds,
                    canBeHeld: !instance.isHeld && !instance.isDraining))
        }
        return (lapsing, false)
    }

    /// Removes or holds an instance if its deadline has come, or else puts it back into the queue.
    ///
    /// - Returns: the instance, if it is removed.
    mutating func settle(_ lapsing: LapsingInstance, at now: Moment, isHeld: Bool) -> ServiceInstance? {
        guard let deadline = slots[lapsing.id]?.registered.lease.deadline else { return nil }
        if deadline <= now.monotonic {
            guard isHeld else { return remove(id: lapsing.id, because: .expired) }
            hold(lapsing.id, now: now)
        }
        queue(lapsing.id)
        return nil
    }

    /// Holds an instance for one more ttl.
    mutating func hold(_ id: String, now: Moment) {
        guard let old = slots[id]?.registered, !old.instance.isHeld else { return }
        var new = old
        new.instance.isHeld = true
        new.lease.hold(ttlSeconds: old.instance.ttlSeconds, now: now)
        replace(old, by: new, because: ExpiryBrake.reason)
    }

    /// Puts an instance's deadline into the queue, unless it is there.
    private mutating func queue(_ id: String) {
        guard let slot = slots[id], slot.queuedDeadline == nil, let deadline = slot.registered.lease.deadline else {
            return
        }
        expiry.insert(ExpiryQueue.Entry(deadline: deadline, id: id))
        slots.withValue(of: id) { $0.queuedDeadline = deadline }
    }

    private mutating func countHeld(_ registered: RegisteredInstance) {
        guard registered.instance.isHeld, let until = registered.lease.expiresAt else { return }
        let since = until.advanced(bySeconds: -registered.instance.ttlSeconds)
        var held = held[registered.instance.name] ?? HeldInstances(count: 0, since: since, until: until)
        held.count += 1
        if until.millisecondsSince1970 > held.until.millisecondsSince1970 { held.until = until }
        self.held[registered.instance.name] = held
    }

    private mutating func uncountHeld(_ registered: RegisteredInstance) {
        guard registered.instance.isHeld, registered.lease.expiresAt != nil else { return }
        held[registered.instance.name]?.count -= 1
        if held[registered.instance.name]?.count == 0 { held[registered.instance.name] = nil }
    }

    /// Extends leases for a pause during which heartbeats could not be heard. An instance gets a whole ttl; one that
    /// has not been heard from since the previous pause gets only the length of this pause.
    ///
    /// - Parameters:
    ///   - sequence: the place to begin after; `nil`: the beginning.
    ///   - limit: how many instances are looked at.
    /// - Returns: the place of the last one, or `nil` at the end.
    mutating func extendLeases(for sweep: Sweep, after sequence: UInt64?, limit: Int) -> UInt64? {
        var entries: [SequenceEntry] = []
        entries.reserveCapacity(limit)
        order.forEach(after: sequence) { entry in
            entries.append(entry)
            return entries.count < limit
        }
        for entry in entries {
            _ = slots.withValue(of: entry.id) { slot in
                slot.registered.lease.extend(for: sweep, ttlSeconds: slot.registered.instance.ttlSeconds)
            }
        }
        return entries.count < limit ? nil : entries.last?.sequence
    }

    /// Removes instances whose deadline has come, the earliest first.
    ///
    /// - Parameter limit: how many deadlines may be looked at; most belong to instances that live on.
    mutating func removeExpired(at now: ContinuousClock.Instant, limit: Int) -> ExpiredInstances {
        var expired = ExpiredInstances(instances: [], isComplete: false)
        for _ in 0..<limit {
            guard let due = expiry.popDue(at: now) else {
                expired.isComplete = true
                break
            }
            // Ignore entries of instances that are gone or have another entry by now.
            guard let slot = slots[due.id], slot.queuedDeadline == due.deadline else { continue }
            let deadline = slot.registered.lease.deadline
            if let deadline, deadline <= now {
                if let instance = remove(id: due.id, because: .expired) { expired.instances.append(instance) }
                continue
            }
            _ = slots.withValue(of: due.id) { $0.queuedDeadline = deadline }
            if let deadline { expiry.insert(ExpiryQueue.Entry(deadline: deadline, id: due.id)) }
        }
        return expired
    }

    /// How many instances a part of a service has.
    func count(of part: ServicePart, inService name: String) -> Int {
        services[name]?.members[part] ?? 0
    }

    /// Some of the instances of a service, in the order of their registration.
    ///
    /// - Parameters:
    ///   - sequence: the place to begin after; `nil`: the beginning.
    ///   - limit: how many to return at most.
    func instances(ofService name: String, after sequence: UInt64?, limit: Int) -> [RegisteredInstance] {
        guard let service = services[name] else { return [] }
        var found: [RegisteredInstance] = []
        found.reserveCapacity(min(limit, service.order.count))
        service.order.forEach(after: sequence) { entry in
            if let slot = slots[entry.id] { found.append(slot.registered) }
            return found.count < limit
        }
        return found
    }

    /// Some of the services with the number of their instances, in the order of their names.
    ///
    /// - Parameters:
    ///   - name: the name to begin after; `nil`: the beginning.
    ///   - limit: how many to return at most.
    func serviceSummaries(after name: String?, limit: Int) -> [ServiceSummary] {
        var summaries: [ServiceSummary] = []
        summaries.reserveCapacity(min(limit, services.count))
        names.forEach(after: name) { entry in
            guard summaries.count < limit else { return false }
            if let service = services[entry.name] {
                summaries.append(ServiceSummary(name: entry.name, counts: service.counts))
            }
            return true
        }
        return summaries
    }

    /// A part of the list of instances, in the order of their registration.
    ///
    /// - Parameters:
    ///   - sequence: the place to begin after; `nil`: the beginning.
    ///   - limit: how many instances the page may have.
    ///   - scanLimit: how many instances may be looked at.
    func page(after sequence: UInt64?, limit: Int, scanLimit: Int, filter: InstanceFilter) -> InstancePage {
        var page = InstancePage(instances: [], lastSequence: sequence, isLast: true)
        var scanned = 0
        let source = filter.name.map { services[$0]?.order ?? SequenceIndex() } ?? order
        source.forEach(after: sequence) { entry in
            guard page.instances.count < limit, scanned < scanLimit else {
                page.isLast = false
                return false
            }
            scanned += 1
            page.lastSequence = entry.sequence
            if let registered = slots[entry.id]?.registered, filter.matches(registered) {
                page.instances.append(registered)
            }
            return true
        }
        return page
    }

    private mutating func link(_ registered: RegisteredInstance, unlessSharing old: ServiceInstance?) {
        let instance = registered.instance
        counts[registered.status] += 1
        countHeld(registered)
        linkSubstitute(instance, unlessSharing: old)
        let entry = SequenceEntry(sequence: instance.sequence, id: instance.id)
        if old == nil { order.insert(entry) }
        var isNew = false
        let hasNewParts = old?.hasSameParts(as: instance) != true
        var newNames = 0
        services.withValue(of: instance.name, initial: Service()) { service in
            isNew = service.order.count == 0
            service.counts[registered.status] += 1
            if old?.name != instance.name { service.order.insert(entry) }
            if hasNewParts { newNames = service.members.count(instance, 1) }
        }
        nameCount += newNames
        if isNew { names.insert(NameEntry(name: instance.name)) }
    }

    private mutating func unlink(_ registered: RegisteredInstance, unlessSharing new: ServiceInstance?) {
        let instance = registered.instance
        counts[registered.status] -= 1
        uncountHeld(registered)
        unlinkSubstitute(instance, unlessSharing: new)
        if new == nil { order.remove(instance.sequence) }
        let losesParts = new?.hasSameParts(as: instance) != true
        var newNames = 0
        let isEmpty = services.withValue(of: instance.name) { service in
            service.counts[registered.status] -= 1
            if losesParts { newNames = service.members.count(instance, -1) }
            if new?.name != instance.name { service.order.remove(instance.sequence) }
            return service.order.count == 0
        }
        nameCount += newNames
        if isEmpty == true {
            services[instance.name] = nil
            names.remove(instance.name)
        }
    }

    private mutating func linkSubstitute(_ instance: ServiceInstance, unlessSharing old: ServiceInstance?) {
        guard instance.idOrigin == .substitute, old?.isSameSubstitute(as: instance) != true else { return }
        substitutes.withValue(of: instance.derivedID, initial: []) { $0.insertSubstitute(instance.id) }
    }

    private mutating func unlinkSubstitute(_ instance: ServiceInstance, unlessSharing new: ServiceInstance?) {
        guard instance.idOrigin == .substitute, new?.isSameSubstitute(as: instance) != true else { return }
        let derivedID = instance.derivedID
        let isEmpty = substitutes.withValue(of: derivedID) { ids in
            ids.removeAll { $0 == instance.id }
            return ids.isEmpty
        }
        if isEmpty == true { substitutes[derivedID] = nil }
    }

    /// Rebuilds the expiry queue once most of it is outdated: otherwise instances that come and go with long ttls would
    /// fill it.
    private mutating func compactExpiry() {
        guard expiry.count > 2 * slots.count + 1024 else { return }
        var entries: [ExpiryQueue.Entry] = []
        entries.reserveCapacity(slots.count)
        slots.forEach { id, slot in
            if let deadline = slot.queuedDeadline { entries.append(ExpiryQueue.Entry(deadline: deadline, id: id)) }
        }
        expiry.replaceAll(with: entries)
    }
}

extension ServiceInstance {
    /// Whether both were registered without an id at the same endpoint, and neither got the derived id.
    fileprivate func isSameSubstitute(as other: ServiceInstance) -> Bool {
        idOrigin == .substitute && other.idOrigin == .substitute && isSameEndpoint(as: other)
    }
}

extension [String] {
    /// Adds an id to the substitutes for one endpoint.
    mutating func insertSubstitute(_ id: String) {
        insert(id, at: firstIndex { $0 > id } ?? endIndex)
    }
}
