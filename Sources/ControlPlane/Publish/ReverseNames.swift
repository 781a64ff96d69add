import Engine

/// PTR records of registered addresses, in zones of their own (RFC 1035 §3.5).
///
/// An address tells the names of all services that it is registered in, draining or not: who asks wants to know whose
/// it is.
struct ReverseNames: Sendable {
    /// Names that an address tells at most, the first in their order.
    static let maximumNames = 16

    private struct Member: Equatable {
        var service: String
        var address: IPAddress
    }

    private let zones: ReverseZones
    private let domain: String
    private let ttl: UInt32
    /// By the places of their instances in all orders.
    private var members: [UInt64: Member] = [:]
    private var sequences: [String: Set<UInt64>] = [:]
    /// For each address the services, and how many instances each has there.
    private var services: [IPAddress: [String: Int]] = [:]
    /// Addresses of which the zones do not know everything yet.
    private var changed: Set<IPAddress> = []

    /// No names yet.
    ///
    /// - Parameters:
    ///   - zones: those that addresses' names are in; an address that is in none has no name.
    ///   - domain: that of the services.
    ///   - ttl: of the records, in seconds.
    init(zones: ReverseZones = ReverseZones(), domain: String = "", ttl: UInt32 = 1) {
        self.zones = zones
        self.domain = domain
        self.ttl = ttl
    }

    /// What becomes of an instance.
    ///
    /// - Parameter instance: as it is now; `nil`: it is gone.
    mutating func change(_ sequence: UInt64, to instance: ServiceInstance?) {
        guard !zones.networks.isEmpty else { return }
        let new = instance.map { Member(service: $0.name, address: $0.address) }
        let old = members[sequence]
        guard old != new else { return }
        if let old {
            sequences[old.service]?.remove(sequence)
            if sequences[old.service]?.isEmpty == true { sequences[old.service] = nil }
            count(old, -1)
        }
        guard let new, zones.name(of: new.address) != nil else {
            members[sequence] = nil
            return
        }
        members[sequence] = new
        sequences[new.service, default: []].insert(sequence)
        count(new, 1)
    }

    /// All instances of a service.
    mutating func replace(_ service: String, by instances: [ServiceInstance]) {
        guard !zones.networks.isEmpty else { return }
        for gone in (sequences[service] ?? []).subtracting(instances.map(\.sequence)) { change(gone, to: nil) }
        for instance in instances { change(instance.sequence, to: instance) }
    }

    private mutating func count(_ member: Member, _ difference: Int) {
        let count = (services[member.address]?[member.service] ?? 0) + difference
        services[member.address, default: [:]][member.service] = count > 0 ? count : nil
        if services[member.address]?.isEmpty == true { services[member.address] = nil }
        changed.insert(member.address)
    }

    /// What the zones have to be told.
    var changes: [NameChange] {
        changed.compactMap { address in
            guard let (zone, name) = zones.name(of: address) else { return nil }
            let names = (services[address] ?? [:]).keys.sorted().prefix(Self.maximumNames)
            let records = names.map { Record(.name("\($0).\(domain)")) }
            let content: NameContent =
                records.isEmpty ? .absent : .records([RRset(type: .ptr, ttl: ttl, records: records)])
            // The zone of the services comes first.
            return NameChange(zone: zone + 1, name: name, content: content)
        }
    }

    /// They have been told.
    mutating func noteTold() {
        changed = []
    }
}
