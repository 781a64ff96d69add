import Engine

extension Configuration {
    /// Addresses that every machine has. 127.0.0.0/8 is not included as a whole: in a container, Docker's DNS server
    /// answers at 127.0.0.11, even if another one listens on all addresses.
    private static let always: Set<IPAddress> = [.v4(0x7F00_0001), .v6(0, 1), .v4(0)]

    /// The upstreams that are this server itself; a question to one would circle until its time is up.
    ///
    /// - Parameter interfaces: gets the machine's addresses; called only if the server listens on all of them.
    /// - Returns: the upstreams' places, each with the listener that it reaches.
    func ownUpstreams(interfaces: () -> [IPAddress]) -> [(index: Int, listener: SocketAddress)] {
        var found: [(index: Int, listener: SocketAddress)] = []
        for (index, server) in dns.upstream.servers.enumerated() {
            // A socket for IPv6 reaches an IPv4 address through its mapped form.
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
