import CEvent
import Glibc
import Synchronization

@testable import Engine

@_silgen_name("unshare") private func unshare(_ flags: Int32) -> Int32

/// A network namespace for one thread (network_namespaces(7)), in which loopback has more than one IPv6 address. Only
/// root may make one. Sockets that are opened there stay there, whichever thread uses them.
enum OwnNetwork {
    /// An address besides `::1`.
    static let address = IPAddress.unique(0x53)

    private static let newNetwork: Int32 = 0x4000_0000

    /// Whether this process may make one.
    static let isAllowed: Bool = (try? run {}) != nil

    /// Runs `body` on a thread in a namespace of its own.
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
        // Waits until the thread has begun.
        while !done.load(ordering: .relaxed) {}
        thread.stop()
    }

    /// Sets loopback up, with the address (netdevice(7)).
    private static func setUp() throws {
        let number = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
        guard number >= 0 else { throw TestFailure("no socket") }
        defer { _ = close(number) }
        // A struct ifreq has the name in 16 octets, then flags.
        var up = [UInt8](repeating: 0, count: 40)
        up[0] = UInt8(ascii: "l")
        up[1] = UInt8(ascii: "o")
        up[16] = UInt8(IFF_UP)
        // A struct in6_ifreq has the address, the prefix length and the interface's index.
        var own = address.octets + [128, 0, 0, 0, 1, 0, 0, 0]
        // Unsafe: the kernel reads structures of these lengths.
        guard unsafe ioctl(number, UInt(SIOCSIFFLAGS), &up) == 0, unsafe ioctl(number, UInt(SIOCSIFADDR), &own) == 0
        else { throw TestFailure("loopback: \(errno)") }
    }
}
