import Engine

/// PTR records of registered addresses, in zones of their own (RFC 1035 §3.5).
///
/// An address has the names of all services that it is registered in, draining or not: whoever asks wants to know whose
/// it is.
struct ReverseNames: Sendable {
    /// The most names of an address: the first in their order.
    static let maximumNames = 16

    private struct Member: Equatable {
        var service: String
        var address: IPAddress
    }

    /// The services of one address: there may be thousands, but only the first few are published.
    private struct Services {
        /// How many instances of each service have the address.
        var counts: [String: Int] = [:]
        var names = NameIndex()
    }

    private let zones: ReverseZones
    private let domain: String
    private let ttl: UInt32
    /// By sequence number.
    private var members: [UInt64: Member] = [:]
    private var sequences: [String: Set<UInt64>] = [:]
    private var services: [IPAddress: Services] = [:]
    /// Addresses whose changes are not published yet.
    private var changed: Set<IPAddress> = []

    /// No names yet.
    ///
    /// - Parameters:
    ///   - zones: the reverse zones; an address in none of them has no name.
    ///   - domain: the domain of the services.
    ///   - ttl: the TTL of the records, in seconds.
    init(zones: ReverseZones = ReverseZones(), domain: String = "", ttl: UInt32 = 1) {
        self.zones = zones
        self.domain = domain
        self.ttl = ttl
    }

    /// Adds, changes or removes an instance.
    ///
    /// - Parameter instance: the present instance; `nil`: it is gone.
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

    /// Replaces all instances of a service.
    mutating func replace(_ service: String, by instances: [RegisteredInstance]) {
        guard !zones.networks.isEmpty else { return }
        for gone in (sequences[service] ?? []).subtracting(instances.map(\.instance.sequence)) { change(gone, to: nil) }
        for registered in instances { change(registered.instance.sequence, to: registered.instance) }
    }

    private mutating func count(_ member: Member, _ difference: Int) {
        let isGone = Self.count(member.service, difference, in: &services[member.address, default: Services()])
        if isGone { services[member.address] = nil }
        changed.insert(member.address)
    }

    /// - Returns: whether no service is left.
    private static func count(_ service: String, _ difference: Int, in services: inout Services) -> Bool {
        let before = services.counts[service] ?? 0
        let after = before + difference
        services.counts[service] = after > 0 ? after : nil
        if before == 0, after > 0 { services.names.insert(NameEntry(name: service)) }
        if before > 0, after <= 0 { services.names.remove(service) }
        return services.counts.isEmpty
    }

    /// The changes to publish.
    var changes: [NameChange] {
        changed.compactMap { address in
            guard let (zone, name) = zones.name(of: address) else { return nil }
            var records: [Record] = []
            services[address]?.names.forEach(after: nil) { entry in
                records.append(Record(.name("\(entry.name).\(domain)")))
                return records.count < Self.maximumNames
            }
            let content: NameContent =
                records.isEmpty ? .absent : .records([RRset(type: .ptr, ttl: ttl, records: records)])
            // Zone 0 is that of the services.
            return NameChange(zone: zone + 1, name: name, content: content)
        }
    }

    /// Notes that ``changes`` were published.
    mutating func noteTold() {
        changed = []
    }
}
