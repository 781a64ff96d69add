import Engine

/// The records of a name with many instances, kept so that a change of one instance costs only what it changes.
struct NameRecords: Sendable {
    /// The order of groups: by priority, and within a priority the instances that stand by come after the others.
    private typealias Rank = UInt32

    /// What was published of one RRset.
    private struct Sent {
        /// The group that it was made of.
        var rank: Rank
        var ttl: UInt32
        var weightDivisor: UInt16
        /// Records that have changed since, by their sequence numbers.
        var edits: [UInt64: (before: RecordChange?, after: RecordChange?)] = [:]
    }

    private let types: [RecordType]
    private let policy: RecordPolicy
    /// A single group if all priorities are answered.
    private var groups: [Rank: PriorityGroup] = [:]
    /// For each type, the ranks of groups that have records of it, ascending.
    private var ranks: [RecordType: [Rank]] = [:]
    private var unhealthy = SequenceSet()
    /// The number of healthy instances that stand by.
    private var standbyCount = 0
    private var sent: [RecordType: Sent] = [:]
    /// Whether these records were published; before, the zone has what the name had with few instances.
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

    /// Adds an instance that is in `instances`; see ``PriorityGroup/insert(_:isAddressShared:instances:)``.
    mutating func insert(
        _ instance: PublishedInstance, isAddressShared: Bool, instances: [UInt64: PublishedInstance]
    ) {
        count += 1
        guard instance.isHealthy else { return unhealthy.insert(instance.sequence) }
        if instance.standsBy { standbyCount += 1 }
        change(instance) {
            $0.insert(instance, isAddressShared: isAddressShared, instances: instances)
        }
    }

    /// Removes an instance that is still in `instances`.
    mutating func remove(
        _ instance: PublishedInstance, isAddressShared: Bool, instances: [UInt64: PublishedInstance]
    ) {
        count -= 1
        guard instance.isHealthy else { return unhealthy.remove(instance.sequence) }
        if instance.standsBy { standbyCount -= 1 }
        change(instance) {
            $0.remove(instance, isAddressShared: isAddressShared, instances: instances)
        }
    }

    /// Notes that an instance shares its address from now on.
    mutating func share(_ instance: PublishedInstance) {
        guard instance.isHealthy else { return }
        groups[rank(of: instance)]?.share(instance)
    }

    private func rank(of instance: PublishedInstance) -> Rank {
        policy.isLowestPriorityOnly ? Rank(instance.priority) << 1 | (instance.standsBy ? 1 : 0) : 0
    }

    private mutating func change(_ instance: PublishedInstance, _ body: (inout PriorityGroup) -> [PriorityGroup.Edit]) {
        let rank = rank(of: instance)
        let edits = body(&groups[rank, default: PriorityGroup()])
        for type in types {
            let isThere = groups[rank]?.has(type) ?? false
            let position = ranks[type, default: []].position { $0 < rank }
            let wasThere = ranks[type]?.dropFirst(position).first == rank
            if isThere, !wasThere { ranks[type, default: []].insert(rank, at: position) }
            if !isThere, wasThere { ranks[type]?.remove(at: position) }
        }
        if groups[rank]?.count == 0 { groups[rank] = nil }
        for edit in edits where sent[edit.type]?.rank == rank {
            sent[edit.type]?.edits[edit.sequence, default: (edit.before, nil)].after = edit.after
        }
    }

    /// The changes since the last call; `nil`: none.
    mutating func takeContent(instances: [UInt64: PublishedInstance]) -> NameContent? {
        guard !groups.isEmpty else {
            defer { (sent, isPublished) = ([:], true) }
            return sent.isEmpty && isPublished ? nil : policy.onEmpty
        }
        let isMixed = !policy.isLowestPriorityOnly && standbyCount > 0
        let changes = types.compactMap {
            isMixed ? takeMixedChange(of: $0, instances) : takeChange(of: $0, instances)
        }
        isPublished = true
        return changes.isEmpty ? nil : .changed(changes)
    }

    private mutating func takeChange(
        of type: RecordType, _ instances: [UInt64: PublishedInstance]
    ) -> RRsetChange? {
        guard let rank = ranks[type]?.first, let group = groups[rank] else { return takeEnd(of: type) }
        let now = Sent(
            rank: rank, ttl: group.ttl(of: type), weightDivisor: group.weightDivisor(of: type))
        defer { sent[type] = now }
        guard let before = sent[type], before.rank == rank else {
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

    /// The change after which there are no records of a type.
    private mutating func takeEnd(of type: RecordType) -> RRsetChange? {
        let isGone = sent.removeValue(forKey: type) != nil || !isPublished
        return isGone ? RRsetChange(type: type, ttl: 1, isWhole: true, records: []) : nil
    }

    /// The rank of RRsets that are made of instances of all groups.
    private static let mixed = Rank.max

    /// All records of a type, if all priorities are answered and instances stand by in some. Whether those have records
    /// depends on others in their group and address family. This costs all records, not only what changes.
    private mutating func takeMixedChange(
        of type: RecordType, _ instances: [UInt64: PublishedInstance]
    ) -> RRsetChange? {
        let healthy = groups.values.flatMap(\.members).sorted().compactMap { instances[$0] }
        let candidates = type == .srv ? healthy : healthy.filter { $0.address.recordType == type }
        var group = PriorityGroup()
        for instance in ServiceRecords.served(candidates, policy) {
            _ = group.insert(instance, isAddressShared: true, instances: instances)
        }
        guard group.has(type) else { return takeEnd(of: type) }
        sent[type] = Sent(rank: Self.mixed, ttl: group.ttl(of: type), weightDivisor: group.weightDivisor(of: type))
        return RRsetChange(
            type: type, ttl: group.ttl(of: type), weightDivisor: group.weightDivisor(of: type), isWhole: true,
            records: group.records(of: type, instances: instances))
    }
}
