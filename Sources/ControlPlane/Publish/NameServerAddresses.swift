import Engine

/// The addresses of `ns.<domain>`.
enum NameServerAddresses {
    /// The addresses that DNS listens on. A wildcard stands for the machine's own addresses of that family, or the
    /// loopback address if it has none.
    ///
    /// - Parameters:
    ///   - listened: the addresses that DNS listens on.
    ///   - interfaces: the machine's addresses.
    static func make(listened: [IPAddress], interfaces: [IPAddress]) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for address in listened {
            guard address.isUnspecified else {
                addresses.append(address)
                continue
            }
            let own = interfaces.filter {
                $0.isIPv4 == address.isIPv4 && !$0.isLoopback && !isLinkLocal($0) && !$0.isUnspecified
            }
            addresses += own.isEmpty ? [address.isIPv4 ? .v4(0x7F00_0001) : .v6(0, 1)] : own
        }
        var seen: Set<IPAddress> = []
        return addresses.filter { seen.insert($0).inserted }
    }

    /// `fe80::/10` and `169.254.0.0/16`, which are useless without knowing the link.
    private static func isLinkLocal(_ address: IPAddress) -> Bool {
        switch address {
        case .v4(let bits): bits >> 16 == 0xA9FE
        case .v6(let high, _): high >> 54 == 0x3FA
        }
    }
}
