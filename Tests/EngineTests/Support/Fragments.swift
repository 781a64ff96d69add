import CEvent
import Glibc

@testable import Engine

/// Sends UDP datagrams in IPv4 fragments, as a network with a small MTU would; for that it writes the IP headers itself,
/// which root alone may do.
enum Fragments {
    /// Whether this process may.
    static var areAllowed: Bool {
        let number = rawSocket()
        guard number >= 0 else { return false }
        _ = close(number)
        return true
    }

    /// - Parameters:
    ///   - size: octets in a fragment; a multiple of 8.
    ///   - omitted: fragments that get lost, by their number.
    static func send(
        _ payload: [UInt8], from source: SocketAddress, to target: SocketAddress, id: UInt16, size: Int = 512,
        omitting omitted: Set<Int> = []
    ) throws {
        guard case .v4(let from) = source.address, case .v4(let to) = target.address else {
            throw TestFailure("IPv4 alone")
        }
        let number = rawSocket()
        guard number >= 0 else { throw TestFailure("no raw socket") }
        defer { _ = close(number) }
        // RFC 768; without a checksum.
        var datagram: [UInt8] = []
        for field in [source.port, target.port, UInt16(8 + payload.count), 0] { datagram.append(bigEndian: field) }
        datagram += payload
        for (index, start) in stride(from: 0, to: datagram.count, by: size).enumerated() where !omitted.contains(index)
        {
            let part = datagram[start..<min(start + size, datagram.count)]
            let isLast = start + size >= datagram.count
            // RFC 791 §3.1; the kernel fills in length and checksum.
            var packet: [UInt8] = [0x45, 0]
            packet.append(bigEndian: UInt16(20 + part.count))
            packet.append(bigEndian: id)
            packet.append(bigEndian: UInt16(start / 8) | (isLast ? 0 : 0x2000))
            packet += [64, UInt8(IPPROTO_UDP), 0, 0]
            packet += from.octets + to.octets + part
            var storage = sockaddr_storage()
            let length = target.write(to: &storage)
            // Unsafe: the storage holds an address of `length` octets.
            let sent = unsafe withUnsafeBytes(of: &storage) { bytes in
                unsafe sendto(
                    number, packet, packet.count, 0, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), length)
            }
            guard sent == packet.count else { throw TestFailure("sendto: \(errno)") }
        }
    }

    private static func rawSocket() -> Int32 { socket(AF_INET, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_RAW)) }
}
