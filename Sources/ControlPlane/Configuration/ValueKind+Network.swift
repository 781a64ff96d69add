import Engine

extension ValueKind where Value == SocketAddress {
    /// An address to listen on.
    static var listenAddress: Self {
        let allowed = "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080"
        return ValueKind(allowed: allowed, acceptsQuotes: true) { text throws(InvalidValue) in
            guard let value = SocketAddress(text) else { throw InvalidValue("is not \(allowed)") }
            guard !value.address.isMulticast, !value.address.isIPv4Mapped else {
                throw InvalidValue("can't be listened on: a multicast or IPv4-mapped address")
            }
            return value
        } format: {
            $0.description
        }
    }

    /// The address of a DNS server, with a port unless that is 53.
    static var upstreamServer: Self {
        let allowed = "an IP address with an optional port, such as 9.9.9.9, 9.9.9.9:53 or [2620:fe::fe]:53"
        return ValueKind(allowed: allowed, acceptsQuotes: true) { text throws(InvalidValue) in
            let address = IPAddress(text).map { SocketAddress($0, port: 53) }
            guard let value = address ?? SocketAddress(text) else { throw InvalidValue("is not \(allowed)") }
            guard value.port != 0, !value.address.isMulticast, !value.address.isUnspecified else {
                throw InvalidValue("is not the address and port of a server")
            }
            return value
        } format: {
            $0.description
        }
    }
}

extension ValueKind where Value == IPNetwork {
    /// A network in CIDR notation; a bare address is a network of one.
    static var network: Self {
        let allowed = "a network such as 10.0.0.0/8, fc00::/7 or 192.0.2.1"
        return ValueKind(allowed: allowed, acceptsQuotes: true) { text throws(InvalidValue) in
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = parts.first, let address = IPAddress(first) else {
                throw InvalidValue("is not \(allowed)")
            }
            let bits = address.isIPv4 ? 32 : 128
            guard parts.count == 2 else { return IPNetwork(address, prefixLength: bits) }
            let length = parts[1]
            guard length.utf8.allSatisfy(isDigit), let prefixLength = Int(length), prefixLength <= bits else {
                throw InvalidValue("is not \(allowed): the prefix is 0–\(bits)")
            }
            let network = IPNetwork(address, prefixLength: prefixLength)
            guard network.address == address else {
                throw InvalidValue("has bits behind its prefix: \(network) is the network")
            }
            return network
        } format: {
            $0.description
        }
    }
}

extension ValueKind where Value == String {
    /// The longest wire form of the domain: two labels of 63 octets fit before it (RFC 1035 §3.1, 255 octets in all).
    private static var longestDomain: Int { 127 }

    /// A domain name of letters, digits and hyphens (RFC 1123 §2.1), returned in lower case without a trailing dot.
    static var domain: Self {
        let allowed = "a domain name of letters, digits and hyphens, at most \(longestDomain - 2) octets"
        return ValueKind(allowed: allowed, acceptsQuotes: true) { text throws(InvalidValue) in
            // Some capitals in Unicode, such as the Kelvin sign, become ASCII letters in lower case.
            guard text.utf8.allSatisfy({ $0 < 0x80 }) else { throw InvalidValue("is not \(allowed)") }
            let name = (text.hasSuffix(".") ? text.dropLast() : text[...]).lowercased()
            let labels = name.split(separator: ".", omittingEmptySubsequences: false)
            for label in labels where !isHostLabel(label) {
                throw InvalidValue(
                    label.isEmpty
                        ? "has an empty label: \(allowed)"
                        : "is not \(allowed): the label '\(label.prefix(64).escapingControls)' has other characters, "
                            + "a hyphen at an end, or more than 63 of them"
                )
            }
            // On the wire each label has a length octet, and the root ends the name.
            guard name.utf8.count + 2 <= longestDomain else {
                throw InvalidValue("is too long: at most \(longestDomain - 2) octets")
            }
            return name
        } format: {
            $0
        }
    }

    /// Whether a label may be part of a host name: letters, digits and inner hyphens, 1–63 octets (RFC 1123 §2.1).
    private static func isHostLabel(_ label: Substring) -> Bool {
        let octets = label.utf8
        return (1...63).contains(octets.count) && octets.first != 45 && octets.last != 45
            && octets.allSatisfy { isDigit($0) || (97...122).contains($0) || $0 == 45 }
    }

    /// A name of this server in the `Host` field: a host name, or `*` for any.
    static var hostName: Self {
        let allowed = "a host name such as registry.example, or *"
        return ValueKind(allowed: allowed, acceptsQuotes: true) { text throws(InvalidValue) in
            if text == "*" { return text }
            guard text.utf8.allSatisfy({ $0 < 0x80 }) else { throw InvalidValue("is not \(allowed)") }
            let name = (text.hasSuffix(".") ? text.dropLast() : text[...]).lowercased()
            let labels = name.split(separator: ".", omittingEmptySubsequences: false)
            // Names of machines and containers sometimes have underscores.
            let isName = labels.allSatisfy { isHostLabel(Substring($0.replacing("_", with: "x"))) }
            guard isName, name.utf8.count <= 253 else {
                throw InvalidValue("is not \(allowed): without scheme, port and path")
            }
            return name
        } format: {
            $0
        }
    }

    /// The URL of an etcd member: scheme, host and port, and nothing that could contain a secret.
    static var endpoint: Self {
        let allowed = "a URL such as http://127.0.0.1:2379"
        return ValueKind(allowed: allowed, acceptsQuotes: true) { text throws(InvalidValue) in
            guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else {
                throw InvalidValue("is not \(allowed)")
            }
            let authority = text.dropFirst(scheme.count)
            let isPlain = authority.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"/?#@".utf8.contains($0) }
            guard !authority.isEmpty, isPlain else {
                throw InvalidValue("is not \(allowed): a host and a port, no user and no path")
            }
            // The port follows the last colon, unless that colon is inside an IPv6 address.
            if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
                guard let port = UInt16(authority[authority.index(after: colon)...]), port > 0 else {
                    throw InvalidValue("has a port that is not one: 1–65535")
                }
            }
            return text
        } format: {
            $0
        }
    }
}
