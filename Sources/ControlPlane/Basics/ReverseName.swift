import Engine

/// Names of addresses in DNS (RFC 1035 §3.5, RFC 3596 §2.5).
extension IPAddress {
    /// The labels of its name without `in-addr.arpa` or `ip6.arpa`: one for each octet or hexadecimal digit, last one
    /// first.
    var reverseLabels: [String] {
        switch self {
        case .v4(let bits): (0..<4).map { String(bits >> (8 * UInt32($0)) & 0xFF) }
        case .v6(let high, let low):
            [low, high].flatMap { half in (0..<16).map { String(half >> (4 * UInt64($0)) & 0xF, radix: 16) } }
        }
    }

    /// What all of these names end with.
    fileprivate var reverseSuffix: String { isIPv4 ? "in-addr.arpa" : "ip6.arpa" }

    /// The number of bits that one label stands for.
    fileprivate var bitsPerLabel: Int { isIPv4 ? 8 : 4 }
}

extension IPNetwork {
    /// Whether a zone can be named after the network: at least one label must be left for the names in it.
    var canBeReversed: Bool { prefixLength <= (address.isIPv4 ? 24 : 124) }

    /// The origin of the zone of its addresses' names; the prefix must end at a label's boundary.
    var reverseOrigin: String {
        let labels = address.reverseLabels.suffix(prefixLength / address.bitsPerLabel)
        return (labels + [address.reverseSuffix]).joined(separator: ".")
    }

    /// The networks that it consists of whose prefixes end at a label's boundary: 1 to 128.
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

    /// The name of an address relative to this network's zone; the address must be in the network.
    func relativeReverseName(of address: IPAddress) -> String {
        let labels = address.reverseLabels
        return labels.dropLast(prefixLength / address.bitsPerLabel).joined(separator: ".")
    }
}

/// The reverse zones that this server answers.
struct ReverseZones: Sendable, Equatable {
    /// The most zones there can be.
    static let maximumCount = 256

    /// The zones' networks, each once, in the configured order.
    let networks: [IPNetwork]
    private let places: [IPNetwork: Int]
    /// The lengths of their prefixes, longest first.
    private let lengths: [Int]

    /// The zones of all addresses in some networks; a network whose prefix ends inside a label has several.
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

    /// The place of an address's zone and the name in it, or `nil` if no zone has the address.
    func name(of address: IPAddress) -> (zone: Int, name: String)? {
        for length in lengths {
            let network = IPNetwork(address, prefixLength: length)
            // Skip prefixes longer than an IPv4 address: they would be cut to its length.
            guard network.prefixLength == length, let place = places[network] else { continue }
            return (place, network.relativeReverseName(of: address))
        }
        return nil
    }
}
