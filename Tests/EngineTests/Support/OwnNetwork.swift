import CEvent
import Glibc
import Synchronization

@testable import Engine

@_silgen_name("unshare") private func unshare(_ flags: Int32) -> Int32

/// A network of its own for a thread (network_namespaces(7)), in which loopback has more than one IPv6 address; root
/// alone may make one. Sockets that are opened there stay there, whoever uses them.
enum OwnNetwork {
    /// An address beside `::1`.
    static let address = IPAddress.unique(0x53)

    private static let newNetwork: Int32 = 0x4000_0000

    /// Whether this process may make one.
    static let isAllowed: Bool = (try? run {}) != nil

    /// Runs `body` on a thread that has one.
    static func run(_ body: @escaping @Sendable () throws -> Void) throws {
        let result = Mutex<Result<Void, any Error>?>(nil)
        try withThread {
            let outcome = Result {
                guard unshare(newNetwork) == 0 else { throw TestFailure("no network of its own: \(errno)") }
                try setUp()
                try body()
            }
            result.withLock { $0 = outcome }
        }
        try result.withLock { $0 }?.get()
    }

    private static func withThread(_ body: @escaping @Sendable () -> Void) throws {
        let done = Atomic<Bool>(false)
        let thread = try Background {
            if done.exchange(true, ordering: .relaxed) { return }
            body()
        }
        // Waits for the thread, which has begun by then.
        while !done.load(ordering: .relaxed) {}
        thread.stop()
    }

    /// netdevice(7): loopback up, with the address.
    private static func setUp() throws {
        let number = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
        guard number >= 0 else { throw TestFailure("no socket") }
        defer { _ = close(number) }
        // struct ifreq: the name in 16 octets, then flags.
        var up = [UInt8](repeating: 0, count: 40)
        up[0] = UInt8(ascii: "l")
        up[1] = UInt8(ascii: "o")
        up[16] = UInt8(IFF_UP)
        // struct in6_ifreq: address, length of the prefix, index of the interface.
        var own = address.octets + [128, 0, 0, 0, 1, 0, 0, 0]
        // Unsafe: the kernel reads a structure of that length.
        guard unsafe ioctl(number, UInt(SIOCSIFFLAGS), &up) == 0, unsafe ioctl(number, UInt(SIOCSIFADDR), &own) == 0
        else { throw TestFailure("loopback: \(errno)") }
    }
}
