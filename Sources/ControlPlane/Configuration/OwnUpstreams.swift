import Engine

extension Configuration {
    /// What every machine has. Not all of 127.0.0.0/8: in a container Docker's server answers at 127.0.0.11, whoever
    /// listens on all addresses there.
    private static let always: Set<IPAddress> = [.v4(0x7F00_0001), .v6(0, 1), .v4(0)]

    /// The upstreams that are this server itself: each question would go round until its time is up.
    ///
    /// - Parameter interfaces: the machine's addresses, asked for when it listens on all of them.
    /// - Returns: their places, and what listens there.
    func ownUpstreams(interfaces: () -> [IPAddress]) -> [(index: Int, listener: SocketAddress)] {
        var found: [(index: Int, listener: SocketAddress)] = []
        for (index, server) in dns.upstream.servers.enumerated() {
            // A socket for IPv6 reaches IPv4 by such an address.
            let address = server.address.unmapped
            let listener = dns.listen.first { listener in
                guard listener.port == server.port else { return false }
                if listener.address == address { return true }
                guard listener.address.isUnspecified, listener.address.isIPv4 == address.isIPv4 else { return false }
                return Self.always.contains(address) || interfaces().contains(address)
            }
            if let listener { found.append((index, listener)) }
        }
        return found
    }
}
