import Engine

/// The settings that decide how instances become records: the server's, or those of one service.
struct RecordPolicy: Sendable, Equatable {
    /// The content of a name that has instances, but no healthy one.
    var onEmpty = NameContent.absent
    /// Whether such a name answers its ``LastKnown`` instances instead, as long as there are any.
    var answersLastKnown = false
    /// How long a name answers SERVFAIL before that, after its last healthy instance has gone.
    var emptyGrace = Duration.zero
    /// Whether only the best priority group is answered.
    var isLowestPriorityOnly = true
    /// The share (0–1) of a service's healthy instances below which its critical ones are answered too; 0: never.
    var protectThreshold = 0.0
    /// The TTL in seconds for instances that were registered without one; `nil`: the one that they got then.
    var defaultTTL: UInt32?
    /// Which record of an answer comes first; `nil`: as the engine is configured.
    var strategy: RotationStrategyName?

    /// The same for a service that has a policy of its own.
    func with(_ policy: ServicePolicy?) -> RecordPolicy {
        guard let policy else { return self }
        var settings = self
        if let answer = policy.onEmpty { settings.setOnEmpty(answer) }
        if let duration = policy.emptyGrace { settings.emptyGrace = duration }
        if let priorities = policy.priorities { settings.isLowestPriorityOnly = priorities == .lowest }
        if let threshold = policy.protectThreshold { settings.protectThreshold = threshold }
        settings.defaultTTL = policy.dnsTTL ?? defaultTTL
        settings.strategy = policy.strategy ?? strategy
        return settings
    }

    /// Whether it matters that a name has just lost its last healthy instance.
    var hasTransition: Bool { emptyGrace > .zero || answersLastKnown }

    /// Sets what a name answers that has no healthy instance.
    mutating func setOnEmpty(_ answer: ServicePolicy.EmptyAnswer) {
        answersLastKnown = answer == .lastKnown
        onEmpty =
            switch answer {
            case .nameError, .lastKnown: .absent
            case .noData: .records([])
            case .serverFailure: .failure
            }
    }

    /// Whether critical instances of a service are answered too.
    ///
    /// - Parameters:
    ///   - healthy: the number of its healthy instances.
    ///   - critical: the number of those that are critical; draining ones are in neither number.
    func protects(healthy: Int, critical: Int) -> Bool {
        critical > 0 && Double(healthy) < protectThreshold * Double(healthy + critical)
    }
}

/// Makes the records of one service. It is pure.
enum ServiceRecords {
    /// All names of a service with their content.
    ///
    /// - Parameter instances: its instances, in the order that their records shall have.
    static func changes(service: String, instances: [PublishedInstance], policy: RecordPolicy) -> [NameChange] {
        guard !instances.isEmpty else { return [] }
        func change(_ name: String, _ some: [PublishedInstance], addresses: Bool) -> NameChange {
            NameChange(
                name: name, content: content(of: some, policy, addresses: addresses), strategy: policy.strategy)
        }
        var changes = [change(service, instances, addresses: true)]
        for transport in TransportProtocol.allCases {
            let some = instances.those { $0.transport == transport }
            guard !some.isEmpty, let name = transport.relativeName(of: service) else { continue }
            changes.append(change(name, some, addresses: false))
        }
        for (tag, some) in groupedByTag(instances) {
            changes.append(change("\(tag).\(service)", some, addresses: true))
        }
        return changes
    }

    /// The content of a name with these instances: SRV, and with `addresses` also A and AAAA.
    static func content(of instances: [PublishedInstance], _ policy: RecordPolicy, addresses: Bool) -> NameContent {
        let healthy = instances.those(where: \.isHealthy)
        if healthy.isEmpty { return policy.onEmpty }
        var sets: [RRset] = []
        if addresses {
            // Choose the group for each family separately: an IPv4 instance must not leave clients that want AAAA
            // empty-handed.
            let v4 = healthy.those(where: \.address.isIPv4)
            if let set = addressSet(.a, served(v4, policy)) { sets.append(set) }
            if v4.count < healthy.count {
                let v6 = healthy.filter { !$0.address.isIPv4 }
                if let set = addressSet(.aaaa, served(v6, policy)) { sets.append(set) }
            }
        }
        if let set = serviceSet(served(healthy, policy)) { sets.append(set) }
        return .records(sets)
    }

    /// The instances of the best priority group, or of all groups. In each group, instances with weight 0 stand by:
    /// they are answered only if the group has no others.
    static func served(_ healthy: [PublishedInstance], _ policy: RecordPolicy) -> [PublishedInstance] {
        var served = healthy
        if policy.isLowestPriorityOnly, let best = healthy.lazy.map(\.priority).min() {
            served = healthy.those { $0.priority == best }
        }
        guard served.contains(where: \.standsBy) else { return served }
        let active = Set(served.lazy.filter { !$0.standsBy }.map(\.priority))
        return served.those { !$0.standsBy || !active.contains($0.priority) }
    }

    private static func groupedByTag(_ instances: [PublishedInstance]) -> [(
        tag: String, instances: [PublishedInstance]
    )] {
        var groups: [(tag: String, instances: [PublishedInstance])] = []
        var positions = Positions<String>()
        for instance in instances {
            for tag in instance.tags {
                let position = positions.position(of: tag)
                if position == groups.count { groups.append((tag, [])) }
                groups[position].instances.append(instance)
            }
        }
        return groups
    }

    /// Each address once, with the sum of its instances' weights.
    private static func addressSet(_ type: RecordType, _ instances: [PublishedInstance]) -> RRset? {
        guard let ttl = instances.lazy.map(\.dnsTTL).min() else { return nil }
        var addresses: [IPAddress] = []
        var weights: [Int] = []
        var positions = Positions<IPAddress>()
        for instance in instances {
            let position = positions.position(of: instance.address)
            if position == addresses.count {
                addresses.append(instance.address)
                weights.append(0)
            }
            weights[position] += Int(instance.weight)
        }
        let divisor = greatestCommonDivisor(weights)
        var records: [Record] = []
        records.reserveCapacity(addresses.count)
        for (address, weight) in zip(addresses, weights) {
            records.append(Record(.address(address), weight: UInt32(clamping: weight / divisor)))
        }
        return RRset(type: type, ttl: ttl, records: records)
    }

    /// Each target and port once, with the best priority and highest weight of its instances. Weights are reduced to
    /// lowest terms, because Kong unrolls them into a list.
    private static func serviceSet(_ instances: [PublishedInstance]) -> RRset? {
        guard let ttl = instances.lazy.map(\.dnsTTL).min() else { return nil }
        var endpoints: [SocketAddress] = []
        var priorities: [UInt16] = []
        var weights: [Int] = []
        var positions = Positions<SocketAddress>()
        for instance in instances {
            let endpoint = instance.endpoint
            let position = positions.position(of: endpoint)
            if position == endpoints.count {
                endpoints.append(endpoint)
                priorities.append(instance.priority)
                weights.append(Int(instance.weight))
            } else {
                priorities[position] = min(priorities[position], instance.priority)
                weights[position] = max(weights[position], Int(instance.weight))
            }
        }
        let divisor = greatestCommonDivisor(weights)
        var records: [Record] = []
        records.reserveCapacity(endpoints.count)
        for (index, endpoint) in endpoints.enumerated() {
            let weight = UInt16(clamping: weights[index] / divisor)
            let data = RecordData.service(
                priority: priorities[index],
                weight: weight,
                port: endpoint.port,
                target: endpoint.address
            )
            records.append(Record(data, weight: UInt32(weight)))
        }
        return RRset(type: .srv, ttl: ttl, records: records)
    }

    /// The greatest common divisor of all numbers that are not 0; 1 if all are 0.
    static func greatestCommonDivisor(_ numbers: [Int]) -> Int {
        max(numbers.reduce(0) { $0.greatestCommonDivisor(with: $1) }, 1)
    }
}

extension BinaryInteger {
    /// The greatest common divisor of two numbers that are not negative; 0 if both are 0.
    func greatestCommonDivisor(with other: Self) -> Self {
        var (a, b) = (self, other)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}

extension Array {
    /// The elements for which `isSuch` holds. If it holds for all, which is usual, nothing is copied.
    fileprivate func those(where isSuch: (Element) -> Bool) -> [Element] {
        allSatisfy(isSuch) ? self : filter(isSuch)
    }
}

/// Numbers keys in the order of their first appearance.
private struct Positions<Key: Hashable> {
    /// Up to this count, a linear search is faster than hashing.
    private static var linearLimit: Int { 8 }

    private var few: [Key] = []
    private var many: [Key: Int] = [:]

    /// The number of `key`; a new key gets the next one.
    mutating func position(of key: Key) -> Int {
        if few.count < Self.linearLimit {
            if let position = few.firstIndex(of: key) { return position }
            few.append(key)
            return few.count - 1
        }
        if many.isEmpty {
            for (position, key) in few.enumerated() { many[key] = position }
        }
        if let position = many[key] { return position }
        let position = many.count
        many[key] = position
        return position
    }
}
