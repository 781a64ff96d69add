/// A network of IP addresses in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3).
public struct IPNetwork: Hashable, Sendable {
    /// The network's first address: no bit is set behind the prefix.
    public let address: IPAddress
    /// The length of the prefix in bits: 0–32, or 0–128 for IPv6.
    public let prefixLength: Int

    /// The network of an address: bits behind the prefix are cleared, and a prefix out of range is clamped.
    public init(_ address: IPAddress, prefixLength: Int) {
        switch address {
        case .v4(let bits):
            self.prefixLength = min(max(prefixLength, 0), 32)
            // Swift's >> and << give 0 for a shift by the whole width.
            self.address = .v4(bits & ~(UInt32.max >> self.prefixLength))
        case .v6(let high, let low):
            self.prefixLength = min(max(prefixLength, 0), 128)
            self.address = .v6(
                high & ~(UInt64.max >> min(self.prefixLength, 64)),
                low & ~(UInt64.max >> max(self.prefixLength - 64, 0))
            )
        }
    }

    /// Whether an address is in the network.
    public func contains(_ other: IPAddress) -> Bool {
        other.isIPv4 == address.isIPv4 && IPNetwork(other, prefixLength: prefixLength).address == address
    }
}

extension IPNetwork: CustomStringConvertible {
    /// `10.0.0.0/8` or `fc00::/7`.
    public var description: String { "\(address)/\(prefixLength)" }
}
