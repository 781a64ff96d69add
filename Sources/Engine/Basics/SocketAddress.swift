/// An IP address and a port.
public struct SocketAddress: Hashable, Sendable {
    /// The IP address.
    public var address: IPAddress
    /// The port; 0 lets the system choose one.
    public var port: UInt16

    /// Takes an address and a port.
    public init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Parses `127.0.0.1:8600` or `[::1]:8600`; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits) else {
            return nil
        }
        var host = text[..<colon]
        let bracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if bracketed { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(host), address.isIPv4 != bracketed else { return nil }
        self.init(address, port: port)
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `127.0.0.1:8600` or `[::1]:8600`.
    public var description: String {
        address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}
