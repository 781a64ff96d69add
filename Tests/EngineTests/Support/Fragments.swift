import CEvent

@testable import Engine

/// Sends UDP datagrams in IPv4 fragments, like a network with a small MTU. It writes the IP headers itself, which only
/// root may do.
enum Fragments {
    /// Whether this process may do so.
    static var areAllowed: Bool { RawSocket.datagrams.isAllowed }

    /// - Parameters:
    ///   - size: octets in a fragment; a multiple of 8.
    ///   - omitted: the numbers of fragments that get lost.
    static func send(
        _ payload: [UInt8], from source: SocketAddress, to target: SocketAddress, id: UInt16, size: Int = 512,
        omitting omitted: Set<Int> = []
    ) throws {
        guard case .v4(let from) = source.address, case .v4(let to) = target.address else {
            throw TestFailure("IPv4 alone")
        }
        // RFC 768, without a checksum.
        var datagram: [UInt8] = []
        for field in [source.port, target.port, UInt16(8 + payload.count), 0] { datagram.append(bigEndian: field) }
        datagram += payload
        var packets: [[UInt8]] = []
        for (index, start) in stride(from: 0, to: datagram.count, by: size).enumerated() where !omitted.contains(index)
        {
            let part = datagram[start..<min(start + size, datagram.count)]
            let isLast = start + size >= datagram.count
            // RFC 791 §3.1. The kernel fills in length and checksum.
            var packet: [UInt8] = [0x45, 0]
            packet.append(bigEndian: UInt16(20 + part.count))
            packet.append(bigEndian: id)
            packet.append(bigEndian: UInt16(start / 8) | (isLast ? 0 : 0x2000))
            packet += [64, UInt8(IPPROTO_UDP), 0, 0]
            packets.append(packet + from.octets + to.octets + part)
        }
        try RawSocket.datagrams.send(packets, to: target)
    }
}
