import Engine

/// What a name with many instances answers, kept so that a change of one of them costs what changes.
struct NameRecords: Sendable {
    /// Where a group of instances is among all: by their priority, and those that stand by behind the others of
    /// the same.
    private typealias Rank = UInt32

    /// What the zone has of one RRset.
    private struct Sent {
        /// The group that it is made of.
        var rank: Rank
        var ttl: UInt32
        var weightDivisor: UInt16
        /// Records that have changed since, by their sequence numbers.
        var edits: [UInt64: (before: RecordChange?, after: RecordChange?)] = [:]
    }

    private let types: [RecordType]
    private let policy: RecordPolicy
    /// One for all when every group is answered.
    private var groups: [Rank: PriorityGroup] = [:]
    /// For each type the ranks of groups that have a record of it, ascending.
    private var ranks: [RecordType: [Rank]] = [:]
    private var unhealthy = SequenceSet()
    /// Healthy instances that stand by.
    private var standbyCount = 0
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
        if instance.standsBy { standbyCount += 1 }
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
        if instance.standsBy { standbyCount -= 1 }
        change(instance) {
            $0.remove(instance, isAddressShared: isAddressShared, instances: instances)
        }
    }

    /// From now on others have the address of an instance, too.
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

    /// What has changed since it was called last; `nil`: nothing.
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

    /// There are no records of a type.
    private mutating func takeEnd(of type: RecordType) -> RRsetChange? {
        let isGone = sent.removeValue(forKey: type) != nil || !isPublished
        return isGone ? RRsetChange(type: type, ttl: 1, isWhole: true, records: []) : nil
    }

    /// The rank of RRsets that were made of some instances of all groups.
    private static let mixed = Rank.max

    /// All records of a type, where every group is answered and in some of them instances stand by: whether these have
    /// records depends on others, of their group and family. Costs all records, not what changes.
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
