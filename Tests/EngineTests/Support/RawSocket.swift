import CEvent
import Glibc

@testable import Engine

/// Sends packets with headers that the test has written itself, which only root may do.
struct RawSocket {
    /// ICMP packets, without an IP header (RFC 792).
    static let controlMessages = RawSocket(number: Int32(IPPROTO_ICMP))
    /// Packets with their IP header (RFC 791).
    static let datagrams = RawSocket(number: Int32(IPPROTO_RAW))

    /// The protocol for which the socket is opened.
    private let number: Int32

    private func open() -> Int32 { socket(AF_INET, Int32(SOCK_RAW.rawValue), number) }

    /// Whether this process may open one.
    var isAllowed: Bool {
        let descriptor = open()
        guard descriptor >= 0 else { return false }
        _ = close(descriptor)
        return true
    }

    /// Sends the packets one after the other.
    func send(_ packets: [[UInt8]], to target: SocketAddress) throws {
        let descriptor = open()
        guard descriptor >= 0 else { throw TestFailure("no raw socket") }
        defer { _ = close(descriptor) }
        var storage = sockaddr_storage()
        let length = target.write(to: &storage)
        for packet in packets {
            // Unsafe: the storage holds an address of `length` octets.
            let sent = unsafe withUnsafeBytes(of: &storage) { bytes in
                unsafe sendto(
                    descriptor, packet, packet.count, 0, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                    length)
            }
            guard sent == packet.count else { throw TestFailure("sendto: \(errno)") }
        }
    }
}
