/// A part of a service that has a name in DNS.
enum ServicePart: Sendable, Hashable {
    /// All instances: `orders`.
    case whole
    /// Those with one transport: `_orders._tcp`.
    case transport(TransportProtocol)
    /// Those with a tag: `v1.orders`.
    case tag(String)

    /// Whether a service can have such a name: a label of 63 octets has no room for an underscore.
    func hasName(in service: String) -> Bool {
        if case .transport = self { service.utf8.count < 63 } else { true }
    }
}

extension ServiceInstance {
    /// The parts of its service that the instance belongs to.
    var parts: [ServicePart] {
        [.whole, .transport(transport)] + tags.map { .tag($0) }
    }

    /// The number of these parts.
    var partCount: Int { 2 + tags.count }

    /// Whether it belongs to the same parts of the same service as `other`.
    func hasSameParts(as other: ServiceInstance) -> Bool {
        name == other.name && transport == other.transport && tags == other.tags
    }
}

/// The numbers of instances in each part of a service.
struct ServiceMembers: Sendable {
    private var whole = 0
    private var tcp = 0
    private var udp = 0
    /// No count is 0.
    private var tags: [String: Int] = [:]

    /// The number of instances in a part.
    subscript(part: ServicePart) -> Int {
        get {
            switch part {
            case .whole: whole
            case .transport(.tcp): tcp
            case .transport(.udp): udp
            case .tag(let tag): tags[tag] ?? 0
            }
        }
        set {
            switch part {
            case .whole: whole = newValue
            case .transport(.tcp): tcp = newValue
            case .transport(.udp): udp = newValue
            case .tag(let tag): tags[tag] = newValue == 0 ? nil : newValue
            }
        }
    }

    /// Counts an instance in or, with a `difference` of -1, out.
    ///
    /// - Returns: how many more names the service has in DNS; negative if fewer.
    mutating func count(_ instance: ServiceInstance, _ difference: Int) -> Int {
        var names = 0
        for part in instance.parts {
            let before = self[part]
            self[part] = before + difference
            guard part.hasName(in: instance.name) else { continue }
            if before == 0 { names += 1 }
            if before + difference == 0 { names -= 1 }
        }
        return names
    }
}
