import Engine

extension PublishedInstance {
    /// An instance as it is answered when no instance of a name is healthy.
    init(lastKnown registered: RegisteredInstance, _ policy: RecordPolicy) {
        self.init(registered, policy)
        isHealthy = true
    }
}

extension ServicePart {
    /// The part of a service that has a name, which is relative to the zone's origin.
    init?(_ name: String, of service: String) {
        if name == service {
            self = .whole
        } else if name == TransportProtocol.tcp.relativeName(of: service) {
            self = .transport(.tcp)
        } else if name == TransportProtocol.udp.relativeName(of: service) {
            self = .transport(.udp)
        } else if name.hasSuffix(".\(service)") {
            self = .tag(String(name.dropLast(service.count + 1)))
        } else {
            return nil
        }
    }

    /// Its name relative to the zone's origin; `nil`: it has none.
    func relativeName(of service: String) -> String? {
        switch self {
        case .whole: service
        case .transport(let transport): transport.relativeName(of: service)
        case .tag(let tag): "\(tag).\(service)"
        }
    }

    /// Whether its name answers A and AAAA.
    var hasAddresses: Bool {
        if case .transport = self { false } else { true }
    }
}

extension NameContent {
    /// All types that names of services answer.
    private static let types: [RecordType] = [.a, .aaaa, .srv]

    /// The same content: RRsets with many records become such as are kept in blocks.
    var inBlocks: NameContent {
        guard case .records(let sets) = self,
            sets.contains(where: { $0.records.count > LargeService.manyInstances })
        else { return self }
        return NameContent.changed(sets.map(\.wholeChange)).replacingAll
    }

    /// Changes after which the name has no other RRsets than those that they give as a whole.
    var replacingAll: NameContent {
        guard case .changed(let changes) = self else { return self }
        let others = Self.types.filter { type in !changes.contains { $0.type == type } }
        return .changed(changes + others.map { RRsetChange(type: $0, ttl: 1, isWhole: true, records: []) })
    }
}

extension RRset {
    /// The change that makes an RRset be like this, whatever it was.
    fileprivate var wholeChange: RRsetChange {
        var targets: Set<IPAddress> = []
        let changes = records.enumerated().map { index, record in
            var isFirst = true
            if case .service(_, _, _, let target) = record.data { isFirst = targets.insert(target).inserted }
            return RecordChange(sequence: UInt64(index), record: record, hasAdditional: isFirst)
        }
        return RRsetChange(type: type, ttl: ttl, isWhole: true, records: changes)
    }
}
