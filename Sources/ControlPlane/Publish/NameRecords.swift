import Engine

/// What a name with many instances answers, kept so that a change of one of them costs what changes.
struct NameRecords: Sendable {
    /// What the zone has of one RRset.
    private struct Sent {
        /// The group that it is made of.
        var priority: UInt16
        var ttl: UInt32
        var weightDivisor: UInt16
        /// Records that have changed since, by their sequence numbers.
        var edits: [UInt64: (before: RecordChange?, after: RecordChange?)] = [:]
    }

    private let types: [RecordType]
    private let policy: RecordPolicy
    /// By priority; one for all when every group is answered.
    private var groups: [UInt16: PriorityGroup] = [:]
    /// For each type the priorities of groups that have a record of it, ascending.
    private var priorities: [RecordType: [UInt16]] = [:]
    private var unhealthy = SequenceSet()
    private var sent: [RecordType: Sent] = [:]
    /// Whether the zone has what is told here at all, and not what the name had as one of few instances.
    private var isPublished = false
    /// The number of instances.
    private(set) var count = 0

    /// No instances yet.
    init(_ name: PublishedName, policy: RecordPolicy) {
        types = name.hasAddresses ? [.a, .aaaa, .srv] : [.srv]
        self.policy = policy
    }

    /// The sequence numbers of all instances, ascending.
    var members: [UInt64] { (Array(unhealthy.numbers) + groups.values.flatMap(\.members)).sorted() }

    /// Adds an instance, which is in `instances`; see ``PriorityGroup/insert(_:isAddressShared:instances:)``.
    mutating func insert(
        _ instance: PublishedInstance, isAddressShared: Bool, instances: [UInt64: PublishedInstance]
    ) {
        count += 1
        guard instance.isHealthy else { return unhealthy.insert(instance.sequence) }
        change(instance) {
            $0.insert(instance, isAddressShared: isAddressShared, instances: instances)
        }
    }

    /// Takes an instance out, which is in `instances` still.
    mutating func remove(
        _ instance: PublishedInstance, isAddressShared: Bool, instances: [UInt64: PublishedInstance]
    ) {
        count -= 1
        guard instance.isHealthy else { return unhealthy.remove(instance.sequence) }
        change(instance) {
            $0.remove(instance, isAddressShared: isAddressShared, instances: instances)
        }
    }

    /// From now on others have the address of an instance, too.
    mutating func share(_ instance: PublishedInstance) {
        guard instance.isHealthy else { return }
        groups[priority(of: instance)]?.share(instance)
    }

    private func priority(of instance: PublishedInstance) -> UInt16 {
        policy.isLowestPriorityOnly ? instance.priority : 0
    }

    private mutating func change(_ instance: PublishedInstance, _ body: (inout PriorityGroup) -> [PriorityGroup.Edit]) {
        let priority = priority(of: instance)
        let edits = body(&groups[priority, default: PriorityGroup()])
        for type in types {
            let isThere = groups[priority]?.has(type) ?? false
            let position = priorities[type, default: []].position { $0 < priority }
            let wasThere = priorities[type]?.dropFirst(position).first == priority
            if isThere, !wasThere { priorities[type, default: []].insert(priority, at: position) }
            if !isThere, wasThere { priorities[type]?.remove(at: position) }
        }
        if groups[priority]?.count == 0 { groups[priority] = nil }
        for edit in edits where sent[edit.type]?.priority == priority {
            sent[edit.type]?.edits[edit.sequence, default: (edit.before, nil)].after = edit.after
        }
    }

    /// What has changed since it was called last; `nil`: nothing.
    mutating func takeContent(instances: [UInt64: PublishedInstance]) -> NameContent? {
        guard !groups.isEmpty else {
            defer { (sent, isPublished) = ([:], true) }
            return sent.isEmpty && isPublished ? nil : policy.onEmpty
        }
        let changes = types.compactMap { takeChange(of: $0, instances) }
        isPublished = true
        return changes.isEmpty ? nil : .changed(changes)
    }

    private mutating func takeChange(
        of type: RecordType, _ instances: [UInt64: PublishedInstance]
    ) -> RRsetChange? {
        guard let priority = priorities[type]?.first, let group = groups[priority] else {
            let isGone = sent.removeValue(forKey: type) != nil || !isPublished
            return isGone ? RRsetChange(type: type, ttl: 1, isWhole: true, records: []) : nil
        }
        let now = Sent(
            priority: priority, ttl: group.ttl(of: type), weightDivisor: group.weightDivisor(of: type))
        defer { sent[type] = now }
        guard let before = sent[type], before.priority == priority else {
            return RRsetChange(
                type: type, ttl: now.ttl, weightDivisor: now.weightDivisor, isWhole: true,
                records: group.records(of: type, instances: instances))
        }
        var records: [RecordChange] = []
        for (sequence, edit) in before.edits where edit.before != edit.after {
            records.append(edit.after ?? RecordChange(sequence: sequence, record: nil))
        }
        guard !records.isEmpty || before.ttl != now.ttl || before.weightDivisor != now.weightDivisor else { return nil }
        records.sort { $0.sequence < $1.sequence }
        return RRsetChange(type: type, ttl: now.ttl, weightDivisor: now.weightDivisor, records: records)
    }
}
