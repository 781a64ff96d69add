import Glibc

/// An IP address and port, as `127.0.0.1:8600` or `[::1]:8600`.
struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    var host: String
    var port: UInt16

    init(_ host: String, _ port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Parses what `description` writes.
    init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        let host = text[..<colon]
        self.init(host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host), port)
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// A port of 127.0.0.1 that is free for UDP and TCP.
    ///
    /// - Parameter ports: by default those below the ports that the system gives to clients, so that none of the many
    ///   sockets of other tests gets it.
    static func unused(in ports: Range<UInt16> = 20_000..<32_000) throws -> Endpoint {
        for _ in 0..<100 {
            let endpoint = Endpoint("127.0.0.1", .random(in: ports))
            if (try? ClientSocket.bound(to: endpoint, .udp)) != nil,
                (try? ClientSocket.bound(to: endpoint, .tcp)) != nil
            {
                return endpoint
            }
        }
        throw SocketError(action: "find a port", code: EADDRINUSE)
    }
}
