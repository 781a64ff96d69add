import Engine

/// The records of a service with many instances, kept so that a change of one instance costs only what it changes: for
/// names with many instances that is single records; names with few are made again.
struct LargeService: Sendable {
    /// With more instances than this, a name's records are kept. Without EDNS, its UDP answers are truncated at that
    /// size.
    static let manyInstances = 32
    /// With fewer instances than this, they are no longer kept.
    static let fewInstances = 16

    /// The instances that have an address.
    private struct AddressUse {
        var count = 0
        /// The only instance with the address, unless it is or was shared.
        var sole: UInt64?
    }

    private let service: String
    /// The settings for it.
    let policy: RecordPolicy
    /// Whether its critical instances are answered too.
    let isProtected: Bool
    /// The number of instances whose checks fail.
    private(set) var criticalCount = 0
    /// The number of healthy instances.
    private(set) var healthyCount = 0
    private var instances: [UInt64: PublishedInstance] = [:]
    private var addresses: [IPAddress: AddressUse] = [:]
    /// The sequence numbers of instances, for names that have few.
    private var few: [PublishedName: [UInt64]] = [:]
    private var many: [PublishedName: NameRecords] = [:]
    private var touched: Set<PublishedName> = []
    /// The names that had a record at the last ``takeChanges()``.
    private(set) var answered: Set<String> = []
    /// The names whose records were gone at the last ``takeChanges()``.
    private(set) var lost: [String] = []

    /// - Parameters:
    ///   - instances: all instances of the service.
    ///   - policy: the settings for it.
    ///   - isProtected: whether its critical instances are answered too.
    init(_ service: String, _ instances: [PublishedInstance], policy: RecordPolicy, isProtected: Bool = false) {
        self.service = service
        self.policy = policy
        self.isProtected = isProtected
        self.instances.reserveCapacity(instances.count)
        for instance in instances { change(instance.sequence, to: instance) }
    }

    /// The number of instances.
    var count: Int { instances.count }

    /// Whether it is to be kept: it has many instances, and as before its critical ones are answered, or not.
    var isLarge: Bool {
        count >= Self.fewInstances
            && policy.protects(healthy: healthyCount, critical: criticalCount) == isProtected
    }

    /// All names that it has, or has had since the last ``takeChanges()``.
    var names: Set<String> { Set((touched.union(few.keys).union(many.keys)).map(\.text)) }

    /// Adds, changes or removes an instance. An instance that has not changed is ignored.
    ///
    /// - Parameter new: the instance with that number; `nil`: it is gone.
    mutating func change(_ sequence: UInt64, to new: PublishedInstance?) {
        let old = instances[sequence]
        guard old != new else { return }
        if let old { count(old, -1) }
        if let new { count(new, 1) }
        var left = old?.names(of: service) ?? []
        var joined = new?.names(of: service) ?? []
        if let old, let new, old.hasSameRecords(as: new) {
            let both = Set(left).intersection(joined)
            left.removeAll { both.contains($0) }
            joined.removeAll { both.contains($0) }
        }
        if let old {
            for name in left { remove(old, from: name) }
            if old.address != new?.address { release(old.address) }
        }
        if let new, new.address != old?.address { use(new) }
        instances[sequence] = new
        if let new {
            for name in joined { insert(new, in: name) }
        }
    }

    private mutating func count(_ instance: PublishedInstance, _ difference: Int) {
        if instance.isCritical {
            criticalCount += difference
        } else if instance.isHealthy {
            healthyCount += difference
        }
    }

    /// Whether it has that name.
    func has(_ name: String) -> Bool {
        [true, false].contains { hasAddresses in
            let name = PublishedName(text: name, hasAddresses: hasAddresses)
            return few[name] != nil || many[name] != nil
        }
    }

    /// The changes of names since the last call. It also updates which names have ``lost`` their records.
    mutating func takeChanges() -> [NameChange] {
        var changes: [NameChange] = []
        changes.reserveCapacity(touched.count)
        lost.removeAll()
        for name in touched {
            guard let content = takeContent(of: name) else { continue }
            changes.append(NameChange(name: name.text, content: content, strategy: policy.strategy))
            if content.isAnswered {
                answered.insert(name.text)
            } else if answered.remove(name.text) != nil {
                lost.append(name.text)
            }
        }
        touched.removeAll(keepingCapacity: true)
        return changes
    }

    private mutating func takeContent(of name: PublishedName) -> NameContent? {
        let instances = instances
        if let sequences = few[name] {
            let members = sequences.compactMap { instances[$0] }
            return ServiceRecords.content(of: members, policy, addresses: name.hasAddresses)
        }
        guard many[name] != nil else { return .absent }
        return many[name]?.takeContent(instances: instances)
    }

    // MARK: Addresses

    private func isShared(_ address: IPAddress) -> Bool { addresses[address].map { $0.sole == nil } ?? false }

    private mutating func use(_ instance: PublishedInstance) {
        let before = addresses[instance.address] ?? AddressUse()
        addresses[instance.address] = AddressUse(
            count: before.count + 1, sole: before.count == 0 ? instance.sequence : nil)
        guard let sole = before.sole, let first = instances[sole] else { return }
        for name in first.names(of: service) { many[name]?.share(first) }
    }

    private mutating func release(_ address: IPAddress) {
        addresses[address]?.count -= 1
        if addresses[address]?.count == 0 { addresses[address] = nil }
    }

    // MARK: Names

    private mutating func insert(_ instance: PublishedInstance, in name: PublishedName) {
        touched.insert(name)
        let isAddressShared = isShared(instance.address)
        let instances = instances
        guard many[name] == nil else {
            many[name]?.insert(instance, isAddressShared: isAddressShared, instances: instances)
            return
        }
        few[name, default: []].insert(sorted: instance.sequence)
        guard let members = few[name], members.count > Self.manyInstances else { return }
        few[name] = nil
        var records = NameRecords(name, policy: policy)
        for member in members.compactMap({ instances[$0] }) {
            records.insert(member, isAddressShared: isShared(member.address), instances: instances)
        }
        many[name] = records
    }

    private mutating func remove(_ instance: PublishedInstance, from name: PublishedName) {
        touched.insert(name)
        guard many[name] != nil else {
            few[name]?.remove(sorted: instance.sequence)
            if few[name]?.isEmpty == true { few[name] = nil }
            return
        }
        let isAddressShared = isShared(instance.address)
        let instances = instances
        many[name]?.remove(instance, isAddressShared: isAddressShared, instances: instances)
        guard let count = many[name]?.count, count < Self.fewInstances else { return }
        few[name] = many.removeValue(forKey: name)?.members
    }
}
