import CEvent

/// An IPv4 or IPv6 address, as a plain value.
public enum IPAddress: Hashable, Sendable {
    /// An IPv4 address: its four octets, the first in the most significant byte.
    case v4(UInt32)
    /// An IPv6 address: its first and last eight octets, each the first in the most significant byte.
    case v6(UInt64, UInt64)

    /// Parses an IPv4 (dotted decimal, four parts) or IPv6 (RFC 4291 §2.2) literal.
    ///
    /// - Returns: `nil` for anything else, including zone identifiers and brackets.
    public init?(_ text: some StringProtocol) {
        // inet_pton stops at a NUL, so it would accept a text that only begins with a literal.
        guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
        let text = String(text)
        var octets = [UInt8](repeating: 0, count: 16)
        // Unsafe: inet_pton writes 4 or 16 octets, and `octets` has 16.
        if unsafe inet_pton(AF_INET, text, &octets) == 1 {
            self = .v4(octets[0..<4].reduce(0) { $0 << 8 | UInt32($1) })
        } else if unsafe inet_pton(AF_INET6, text, &octets) == 1 {
            self = .v6(
                octets[0..<8].reduce(0) { $0 << 8 | UInt64($1) },
                octets[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
            )
        } else {
            return nil
        }
    }

    /// The 4 or 16 octets in network order.
    public var octets: [UInt8] {
        switch self {
        case .v4(let address):
            return (0..<4).map { UInt8(truncatingIfNeeded: address >> (24 - 8 * $0)) }
        case .v6(let high, let low):
            return (0..<16).map {
                UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> (56 - 8 * ($0 % 8)))
            }
        }
    }

    /// Whether this is an IPv4 address.
    public var isIPv4: Bool {
        if case .v4 = self { true } else { false }
    }

    /// `0.0.0.0` or `::`.
    public var isUnspecified: Bool { self == .v4(0) || self == .v6(0, 0) }

    /// `224.0.0.0/4` or `ff00::/8`.
    public var isMulticast: Bool {
        switch self {
        case .v4(let address): address >> 28 == 0xE
        case .v6(let high, _): high >> 56 == 0xFF
        }
    }

    /// `127.0.0.0/8` or `::1`.
    public var isLoopback: Bool {
        switch self {
        case .v4(let address): address >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    /// `::ffff:0:0/96`, an IPv4 address in an IPv6 literal (RFC 4291 §2.5.5.2).
    public var isIPv4Mapped: Bool {
        if case .v6(0, let low) = self { low >> 32 == 0xFFFF } else { false }
    }

    /// The embedded address of an IPv4-mapped one; otherwise the address itself.
    public var unmapped: IPAddress {
        if isIPv4Mapped, case .v6(_, let low) = self { .v4(UInt32(truncatingIfNeeded: low)) } else { self }
    }
}

extension IPAddress: CustomStringConvertible {
    /// The canonical text: dotted decimal, or RFC 5952 for IPv6.
    public var description: String {
        switch self {
        case .v4(let address):
            return "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
        case .v6:
            // Unsafe: inet_ntop reads the 16 octets and writes at most INET6_ADDRSTRLEN (46) bytes, NUL included.
            return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) {
                text in
                let written = unsafe inet_ntop(AF_INET6, octets, text.baseAddress, socklen_t(text.count))
                guard let written = unsafe written else { return "" }
                return unsafe String(cString: written)
            }
        }
    }
}
