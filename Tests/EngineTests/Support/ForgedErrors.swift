import CEvent

@testable import Engine

/// Tells a socket that nobody listens at the address that it is connected to (ICMP, port unreachable; RFC 792). A
/// forger who knows its port would do so. It takes a raw socket, which only root may open.
enum ForgedErrors {
    /// Whether this process may open one.
    static var areAllowed: Bool { RawSocket.controlMessages.isAllowed }

    /// - Parameters:
    ///   - target: the address of the socket.
    ///   - server: the address that it is connected to.
    static func send(to target: SocketAddress, about server: SocketAddress) throws {
        guard case .v4(let from) = target.address, case .v4(let to) = server.address else {
            throw TestFailure("IPv4 alone")
        }
        // Type, code, checksum and four unused octets, then the beginning of the datagram that could not be delivered.
        var packet: [UInt8] = [3, 3, 0, 0, 0, 0, 0, 0]
        packet += [0x45, 0, 0, 36, 0, 0, 0, 0, 64, UInt8(IPPROTO_UDP), 0, 0]
        packet += from.octets + to.octets
        for field in [target.port, server.port, 16, 0] { packet.append(bigEndian: field) }
        let checksum = Self.checksum(packet)
        packet[2] = UInt8(checksum >> 8)
        packet[3] = UInt8(checksum & 0xFF)
        try RawSocket.controlMessages.send([packet], to: target)
    }

    /// The checksum of RFC 1071 over an even number of octets.
    private static func checksum(_ octets: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for place in stride(from: 0, to: octets.count, by: 2) {
            sum += UInt32(octets[place]) << 8 | UInt32(octets[place + 1])
        }
        while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
        return ~UInt16(truncatingIfNeeded: sum)
    }
}
