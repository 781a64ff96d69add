/// All instances in memory: by id, by service, in order of registration and by deadline.
///
/// A value without clock, lock or I/O. Every operation on one instance costs the logarithm of their number at most.
struct InstanceTable: Sendable {
    private struct Slot: Sendable {
        var registered: RegisteredInstance
        /// The deadline under which the expiry queue has it; `nil`: it is not there.
        var queuedDeadline: ContinuousClock.Instant?
    }

    private struct Service: Sendable {
        var order = SequenceIndex()
        var counts = StatusCounts()
        var members = ServiceMembers()
    }

    private var slots = ShardedDictionary<Slot>()
    private var services = ShardedDictionary<Service>()
    private var names = NameIndex()
    private var order = SequenceIndex()
    private var expiry = ExpiryQueue()
    /// What has changed since it was published last.
    var journal = ChangeJournal()
    /// Of each derived id that an endpoint did not get, the instances that were registered there without an id: the
    /// others are found under it. Two nodes may have registered one each.
    private var substitutes = ShardedDictionary<[String]>()
    /// Sequence numbers from here on are given by a table alone. An instance that comes with one gets the next that is
    /// free: however large a number somebody has stored, those that come after it can be counted on.
    static let sequenceLimit: UInt64 = 3 << 61

    /// The sequence number for the next new instance: above all that were ever here.
    private(set) var nextSequence: UInt64 = 1
    /// Instances by status.
    private(set) var counts = StatusCounts()

    /// The number of instances.
    var count: Int { slots.count }
    /// The number of names that the instances have in DNS, those of protocols and tags included.
    private(set) var nameCount = 0
    /// The number of services with at least one instance.
    var serviceCount: Int { services.count }

    /// The instance with that id.
    func instance(id: String) -> RegisteredInstance? {
        slots[id]?.registered
    }

    /// The ids of instances that were registered without one where another instance has the id that follows, in an
    /// order that is the same on every node.
    ///
    /// - Parameter derivedID: the id that follows from what they are.
    func substitutes(for derivedID: String) -> [String] {
        substitutes[derivedID] ?? []
    }

    /// Adds an instance, or replaces the one with its id, which keeps its place.
    ///
    /// - Parameter lease: its lease from now on; `nil` leaves a known instance the one it has.
    /// - Returns: what is in the table now; `nil` when there is neither a lease given nor one known.
    @discardableResult
    mutating func put(_ instance: ServiceInstance, lease: Lease?) -> RegisteredInstance? {
        let before = slots[instance.id]
        guard let lease = lease ?? before?.registered.lease else { return nil }
        var instance = instance
        if let known = before?.registered.instance {
            instance.sequence = known.sequence
        } else if instance.sequence >= Self.sequenceLimit || order.contains(instance.sequence) {
            // In the second case two nodes have given the same number at once.
            instance.sequence = nextSequence
        }
        // Who registers again tells nothing of how the instance is.
        let registered = RegisteredInstance(
            instance: instance, lease: lease, health: before?.registered.health ?? InstanceHealth())
        if let old = before?.registered {
            unlink(old, unlessSharing: instance)
        }
        link(registered, unlessSharing: before?.registered.instance)
        journal.note(from: before?.registered, to: registered)
        var slot = Slot(registered: registered, queuedDeadline: before?.queuedDeadline)
        if let deadline = lease.deadline, slot.queuedDeadline.map({ deadline < $0 }) ?? true {
            expiry.insert(ExpiryQueue.Entry(deadline: deadline, id: instance.id))
            slot.queuedDeadline = deadline
        }
        slots[instance.id] = slot
        if instance.sequence >= nextSequence { nextSequence = instance.sequence + 1 }
        compactExpiry()
        return registered
    }

    /// Takes an instance out.
    ///
    /// - Returns: the instance, or `nil` when there is none.
    @discardableResult
    mutating func remove(id: String) -> ServiceInstance? {
        guard let registered = slots[id]?.registered else { return nil }
        slots[id] = nil
        unlink(registered, unlessSharing: nil)
        journal.note(from: registered, to: nil)
        return registered.instance
    }

    /// Notes how an instance is.
    ///
    /// - Returns: what has changed; `nil` when nothing has, or there is no such instance.
    @discardableResult
    mutating func setHealth(_ health: InstanceHealth, of id: String) -> InstanceChange? {
        guard let old = slots[id]?.registered, old.health != health else { return nil }
        var new = old
        new.health = health
        slots.withValue(of: id) { $0.registered.health = health }
        counts[old.status] -= 1
        counts[new.status] += 1
        services.withValue(of: old.instance.name) { service in
            service.counts[old.status] -= 1
            service.counts[new.status] += 1
        }
        return journal.note(from: old, to: new)
    }

    /// The index of the last change that was made.
    var changeIndex: UInt64 { journal.lastIndex }

    /// Gives an instance a whole ttl again.
    ///
    /// - Parameter now: when it was heard from; heartbeats may come here in another order than they arrived in.
    /// - Returns: its lease, or `nil` when there is no such instance.
    mutating func renew(id: String, now: Moment) -> Lease? {
        slots.withValue(of: id) { slot in
            let lease = Lease(ttlSeconds: slot.registered.instance.ttlSeconds, now: now)
            let known = slot.registered.lease
            if let deadline = lease.deadline, let later = known.deadline, deadline < later {
                // One that arrived earlier than another, or while the ttl was counted anew after a pause.
                if lease.lastHeartbeat.millisecondsSince1970 > known.lastHeartbeat.millisecondsSince1970 {
                    slot.registered.lease.lastHeartbeat = lease.lastHeartbeat
                }
                return slot.registered.lease
            }
            slot.registered.lease = lease
            return lease
        }
    }

    /// Gives instances a longer life for a pause in which their heartbeats could not be heard: a whole ttl, and who has
    /// not been heard of since the pause before that only as long as this one was.
    ///
    /// - Parameters:
    ///   - sequence: the place after which they are; `nil`: the beginning.
    ///   - limit: how many are looked at.
    /// - Returns: the place of the last one; `nil`: there are no more.
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

    /// Takes out instances whose deadline has come, the earliest first.
    ///
    /// - Parameter limit: how many deadlines may be looked at: most belong to instances that go on living.
    mutating func removeExpired(at now: ContinuousClock.Instant, limit: Int) -> ExpiredInstances {
        var expired = ExpiredInstances(instances: [], isComplete: false)
        for _ in 0..<limit {
            guard let due = expiry.popDue(at: now) else {
                expired.isComplete = true
                break
            }
            // An entry of an instance that left, or that has another entry by now, has no say.
            guard let slot = slots[due.id], slot.queuedDeadline == due.deadline else { continue }
            let deadline = slot.registered.lease.deadline
            if let deadline, deadline <= now {
                if let instance = remove(id: due.id) { expired.instances.append(instance) }
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
    ///   - sequence: the place after which they are; `nil`: the beginning.
    ///   - limit: how many they are, unless the list ends.
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

    /// Some of the services and the number of their instances, in the order of their names.
    ///
    /// - Parameters:
    ///   - name: the one after which they are; `nil`: the beginning.
    ///   - limit: how many they are, unless the list ends.
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
    ///   - sequence: the place after which it begins; `nil`: the beginning.
    ///   - limit: how many instances it may have.
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

    /// Builds the expiry queue anew when most of it is outdated: instances that come and go with long ttls would
    /// fill it otherwise.
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
    /// Whether both were registered without an id at one endpoint, and neither got the id that follows from it.
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
