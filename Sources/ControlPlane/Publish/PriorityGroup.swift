import Engine

/// The healthy instances of a name with the same priority, and their records.
struct PriorityGroup: Sendable {
    /// In the order of their registration.
    private var sequences = SequenceSet()
    private var ttls: [RecordType: TTLTally] = [:]
    /// The weights of the SRV records.
    private var weights = WeightTally()
    // Only for addresses that several instances share, or have shared: which of them has the record, and what is in it.
    private var addresses: [IPAddress: InstanceTally] = [:]
    private var endpoints: [SocketAddress: InstanceTally] = [:]

    /// Whether there is a record of that type.
    func has(_ type: RecordType) -> Bool { ttls[type] != nil }

    /// The lowest TTL, in seconds, of all instances with a record of that type.
    func ttl(of type: RecordType) -> UInt32 { ttls[type]?.lowest ?? 1 }

    /// The common divisor of the weights of that type's records.
    func weightDivisor(of type: RecordType) -> UInt16 { type == .srv ? weights.divisor : 1 }

    /// The number of instances.
    var count: Int { sequences.count }

    /// All sequence numbers, ascending.
    var members: FlattenSequence<[[UInt64]]> { sequences.numbers }

    /// A record before and after an instance was added or removed.
    struct Edit {
        var type: RecordType
        var sequence: UInt64
        var before: RecordChange?
        var after: RecordChange?
    }

    /// Adds an instance that is in `instances`.
    ///
    /// - Parameters:
    ///   - isAddressShared: whether other instances have the same address, or have had it.
    ///   - instances: all instances of the service.
    mutating func insert(
        _ instance: PublishedInstance, isAddressShared: Bool, instances: [UInt64: PublishedInstance]
    ) -> [Edit] {
        count(instance)
        sequences.insert(instance.sequence)
        guard isAddressShared else {
            weights.insert(instance.weight)
            return Self.ownRecords(of: instance).map {
                Edit(type: $0.type, sequence: instance.sequence, before: nil, after: $0.change)
            }
        }
        return edits(by: instance, instances: instances) { group in
            if let weight = group.endpoints[instance.endpoint]?.highestWeight { group.weights.remove(weight) }
            group.endpoints[instance.endpoint, default: InstanceTally()].insert(instance)
            group.addresses[instance.address, default: InstanceTally()].insert(instance)
            group.weights.insert(group.endpoints[instance.endpoint]?.highestWeight ?? 0)
        }
    }

    /// Removes an instance that is still in `instances`.
    mutating func remove(
        _ instance: PublishedInstance, isAddressShared: Bool, instances: [UInt64: PublishedInstance]
    ) -> [Edit] {
        uncount(instance)
        sequences.remove(instance.sequence)
        guard isAddressShared else {
            weights.remove(instance.weight)
            return Self.ownRecords(of: instance).map {
                Edit(type: $0.type, sequence: instance.sequence, before: $0.change, after: nil)
            }
        }
        return edits(by: instance, instances: instances) { group in
            group.weights.remove(group.endpoints[instance.endpoint]?.highestWeight ?? 0)
            group.endpoints[instance.endpoint]?.remove(instance)
            group.addresses[instance.address]?.remove(instance)
            if group.endpoints[instance.endpoint]?.isEmpty == true { group.endpoints[instance.endpoint] = nil }
            if group.addresses[instance.address]?.isEmpty == true { group.addresses[instance.address] = nil }
            if let weight = group.endpoints[instance.endpoint]?.highestWeight { group.weights.insert(weight) }
        }
    }

    /// Notes that an instance shares its address from now on.
    mutating func share(_ instance: PublishedInstance) {
        endpoints[instance.endpoint, default: InstanceTally()].insert(instance)
        addresses[instance.address, default: InstanceTally()].insert(instance)
    }

    /// All records of a type.
    func records(of type: RecordType, instances: [UInt64: PublishedInstance]) -> [RecordChange] {
        var records: [RecordChange] = []
        records.reserveCapacity(sequences.count)
        for sequence in sequences.numbers {
            guard let instance = instances[sequence] else { continue }
            if addresses[instance.address] != nil {
                if let record = sharedRecord(of: type, at: sequence, instances: instances) { records.append(record) }
            } else if let own = Self.ownRecords(of: instance).first(where: { $0.type == type }) {
                records.append(own.change)
            }
        }
        return records
    }

    private mutating func count(_ instance: PublishedInstance) {
        for type in [.srv, instance.address.recordType] {
            ttls[type, default: TTLTally()].insert(instance.dnsTTL)
        }
    }

    private mutating func uncount(_ instance: PublishedInstance) {
        for type in [.srv, instance.address.recordType] {
            ttls[type]?.remove(instance.dnsTTL)
            if ttls[type]?.isEmpty == true { ttls[type] = nil }
        }
    }

    /// The records of an instance that does not share its address.
    private static func ownRecords(of instance: PublishedInstance) -> [(type: RecordType, change: RecordChange)] {
        let service = RecordData.service(
            priority: instance.priority, weight: instance.weight, port: instance.port, target: instance.address)
        let weight = UInt32(instance.weight)
        return [
            (.srv, RecordChange(sequence: instance.sequence, record: Record(service, weight: weight))),
            (
                instance.address.recordType,
                RecordChange(sequence: instance.sequence, record: Record(.address(instance.address), weight: weight))
            ),
        ]
    }

    /// The record at the place of an instance that shares its address; `nil`: another instance's record stands for it.
    private func sharedRecord(
        of type: RecordType, at sequence: UInt64, instances: [UInt64: PublishedInstance]
    ) -> RecordChange? {
        guard let instance = instances[sequence], let address = addresses[instance.address] else { return nil }
        if type != .srv {
            guard address.first == sequence, instance.address.recordType == type else { return nil }
            let weight = UInt32(clamping: address.weightSum)
            return RecordChange(sequence: sequence, record: Record(.address(instance.address), weight: weight))
        }
        guard let endpoint = endpoints[instance.endpoint], endpoint.first == sequence else { return nil }
        let data = RecordData.service(
            priority: endpoint.bestPriority, weight: endpoint.highestWeight, port: instance.port,
            target: instance.address)
        return RecordChange(
            sequence: sequence, record: Record(data, weight: UInt32(endpoint.highestWeight)),
            hasAdditional: address.first == sequence)
    }

    /// The edits of shared records that `change` causes, which adds or removes the instance.
    private mutating func edits(
        by instance: PublishedInstance, instances: [UInt64: PublishedInstance],
        _ change: (inout PriorityGroup) -> Void
    ) -> [Edit] {
        // Only the first two instances at its address, or at its address and port, can get a different record.
        var places: Set<UInt64> = [instance.sequence]
        places.formUnion(addresses[instance.address]?.firstTwo ?? [])
        places.formUnion(endpoints[instance.endpoint]?.firstTwo ?? [])
        var edits = [RecordType.srv, instance.address.recordType].flatMap { type in
            places.map {
                Edit(
                    type: type, sequence: $0, before: sharedRecord(of: type, at: $0, instances: instances), after: nil)
            }
        }
        change(&self)
        for index in edits.indices {
            edits[index].after = sharedRecord(of: edits[index].type, at: edits[index].sequence, instances: instances)
        }
        return edits
    }
}
