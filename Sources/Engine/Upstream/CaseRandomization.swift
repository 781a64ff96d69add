/// Which upstreams are sent names whose letters have random case (draft-vixie-dnsext-dns0x20). Each letter is one more
/// bit for a forger to guess.
public enum CaseRandomization: String, CaseIterable, Sendable {
    /// Upstreams at public addresses. A nearby server is harder to forge, and may know names only in lower case, as
    /// Docker's embedded server does.
    case automatic = "auto"
    /// All upstreams. If one changes the letters' case, that is learned.
    case on
    /// None: all are asked in lower case.
    case off

    /// Whether an upstream is asked with letters in random case.
    func applies(to address: IPAddress) -> Bool {
        switch self {
        case .automatic: address.isPublic
        case .on: true
        case .off: false
        }
    }
}

extension IPAddress {
    /// Networks whose addresses have a meaning only within one's own network: loopback, private, shared and link-local
    /// ones (RFC 6890, RFC 1918, RFC 6598, RFC 4193, RFC 3879).
    private static let localNetworks = [
        IPNetwork(.v4(0x7F00_0000), prefixLength: 8), IPNetwork(.v4(0x0A00_0000), prefixLength: 8),
        IPNetwork(.v4(0xAC10_0000), prefixLength: 12), IPNetwork(.v4(0xC0A8_0000), prefixLength: 16),
        IPNetwork(.v4(0x6440_0000), prefixLength: 10), IPNetwork(.v4(0xA9FE_0000), prefixLength: 16),
        IPNetwork(.v6(0, 1), prefixLength: 128), IPNetwork(.v6(0xFC00 << 48, 0), prefixLength: 7),
        IPNetwork(.v6(0xFE80 << 48, 0), prefixLength: 10), IPNetwork(.v6(0xFEC0 << 48, 0), prefixLength: 10),
    ]

    /// Whether the address means the same host everywhere.
    fileprivate var isPublic: Bool {
        let address = unmapped
        return !Self.localNetworks.contains { $0.contains(address) }
    }
}
