import Engine

/// Names of addresses in DNS (RFC 1035 §3.5, RFC 3596 §2.5).
extension IPAddress {
    /// The labels of its name, without `in-addr.arpa` or `ip6.arpa`: one for each octet, or each hexadecimal digit, the
    /// last one first.
    var reverseLabels: [String] {
        switch self {
        case .v4(let bits): (0..<4).map { String(bits >> (8 * UInt32($0)) & 0xFF) }
        case .v6(let high, let low):
            [low, high].flatMap { half in (0..<16).map { String(half >> (4 * UInt64($0)) & 0xF, radix: 16) } }
        }
    }

    /// What all of these names end with.
    fileprivate var reverseSuffix: String { isIPv4 ? "in-addr.arpa" : "ip6.arpa" }

    /// Bits that a label stands for.
    fileprivate var bitsPerLabel: Int { isIPv4 ? 8 : 4 }
}

extension IPNetwork {
    /// Whether its addresses can be the names of zones: a name for at least one label must be left.
    var canBeReversed: Bool { prefixLength <= (address.isIPv4 ? 24 : 124) }

    /// The name of the zone of its addresses' names; its prefix must end where a label does.
    var reverseOrigin: String {
        let labels = address.reverseLabels.suffix(prefixLength / address.bitsPerLabel)
        return (labels + [address.reverseSuffix]).joined(separator: ".")
    }

    /// The networks that it is made of whose prefixes end where a label does: 1 to 128.
    var reverseParts: [IPNetwork] {
        let bits = address.bitsPerLabel
        let length = (prefixLength + bits - 1) / bits * bits
        return (0..<(1 << (length - prefixLength))).map { number in
            switch address {
            case .v4(let first):
                IPNetwork(.v4(first | UInt32(number) << UInt32(32 - length)), prefixLength: length)
            case .v6(let high, let low):
                length <= 64
                    ? IPNetwork(.v6(high | UInt64(number) << UInt64(64 - length), low), prefixLength: length)
                    : IPNetwork(.v6(high, low | UInt64(number) << UInt64(128 - length)), prefixLength: length)
            }
        }
    }

    /// The name of an address in its zone, relative to that; the address must be in the network.
    func relativeReverseName(of address: IPAddress) -> String {
        let labels = address.reverseLabels
        return labels.dropLast(prefixLength / address.bitsPerLabel).joined(separator: ".")
    }
}

/// The zones of addresses' names that are answered.
struct ReverseZones: Sendable, Equatable {
    /// Zones at most.
    static let maximumCount = 256

    /// Their networks, each once, in the configured order.
    let networks: [IPNetwork]
    private let places: [IPNetwork: Int]
    /// Lengths of their prefixes, the longest first.
    private let lengths: [Int]

    /// The zones of all addresses in some networks; a network whose prefix does not end where a label does has several.
    init(_ networks: [IPNetwork] = []) {
        var places: [IPNetwork: Int] = [:]
        var all: [IPNetwork] = []
        for part in networks.flatMap(\.reverseParts) where places[part] == nil {
            places[part] = all.count
            all.append(part)
        }
        self.networks = all
        self.places = places
        lengths = Set(all.map(\.prefixLength)).sorted(by: >)
    }

    /// The zone of an address: its place, and the name in it; `nil`: it has none.
    func name(of address: IPAddress) -> (zone: Int, name: String)? {
        for length in lengths {
            let network = IPNetwork(address, prefixLength: length)
            // A prefix longer than an IPv4 address would be cut to its length.
            guard network.prefixLength == length, let place = places[network] else { continue }
            return (place, network.relativeReverseName(of: address))
        }
        return nil
    }
}
