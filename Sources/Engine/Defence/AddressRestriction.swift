/// Why an address can't be that of a service which others can reach.
public enum AddressRestriction: Sendable {
    /// `0.0.0.0/8` (RFC 6890 §2.2.2) or `::`.
    case thisNetwork
    /// `169.254.0.0/16` or `fe80::/10`: a different machine on every link, among them a cloud's metadata service.
    case linkLocal
    /// `224.0.0.0/4` or `ff00::/8`.
    case multicast
    /// `240.0.0.0/4`, including `255.255.255.255`.
    case reserved
    /// `::ffff:0:0/96` or `::/96` (RFC 4291 §2.5.5): an embedded IPv4 address.
    case embedded
    /// `2002::/16` (RFC 3056), `64:ff9b::/96` (RFC 6052) or `64:ff9b:1::/48` (RFC 8215) with an IPv4 address that is
    /// restricted itself or is a loopback address.
    case translated
}

extension IPAddress {
    /// Why the address can't be that of a service, or `nil` if it can. Loopback addresses have no restriction of this
    /// kind: clients on the same machine can use them.
    public var restriction: AddressRestriction? {
        switch self {
        case .v4(let bits):
            return Self.restriction(ofIPv4: bits)
        case .v6(let high, let low):
            if high == 0 {
                if low == 1 { return nil }
                if low == 0 { return .thisNetwork }
                if low >> 32 == 0xFFFF || low >> 32 == 0 { return .embedded }
                // The IPv4-translated addresses of RFC 2765 §2.1.
                let isTranslated = low >> 32 == 0xFFFF_0000
                return !isTranslated || Self.isUsable(UInt32(truncatingIfNeeded: low)) ? nil : .translated
            }
            if high >> 54 == 0x3FA { return .linkLocal }
            if high >> 56 == 0xFF { return .multicast }
            if high >> 48 == 0x2002 {
                return Self.isUsable(UInt32(truncatingIfNeeded: high >> 16)) ? nil : .translated
            }
            if high == 0x0064_FF9B_0000_0000, low >> 32 == 0 {
                return Self.isUsable(UInt32(truncatingIfNeeded: low)) ? nil : .translated
            }
            if high >> 16 == 0x0064_FF9B_0001 {
                // With a 96-bit prefix the IPv4 address is at the end. Shorter prefixes (RFC 6052 §2.2) end in zeros;
                // only the network itself knows where its IPv4 address is, so they may hide any.
                let embedded = UInt32(truncatingIfNeeded: low)
                return embedded & 0x00FF_FFFF != 0 && Self.isUsable(embedded) ? nil : .translated
            }
            return nil
        }
    }

    private static func isUsable(_ bits: UInt32) -> Bool {
        bits >> 24 != 127 && restriction(ofIPv4: bits) == nil
    }

    private static func restriction(ofIPv4 bits: UInt32) -> AddressRestriction? {
        switch bits >> 24 {
        case 0: .thisNetwork
        case 169 where bits >> 16 & 0xFF == 254: .linkLocal
        case 224...239: .multicast
        case 240...255: .reserved
        default: nil
        }
    }
}
