import Glibc

/// A `sockaddr_in` of 127.0.0.1 (ip(7)) as octets: several modules have that type, and which of them is visible differs
/// between builds.
struct LoopbackAddress {
    private var octets: [UInt8]

    /// - Parameter port: 0: any that is free.
    init(port: Int = 0) {
        octets = [UInt8(AF_INET), 0, UInt8(port >> 8 & 255), UInt8(port & 255), 127, 0, 0, 1]
        octets += [UInt8](repeating: 0, count: 8)
    }

    var port: Int { Int(octets[2]) << 8 | Int(octets[3]) }

    /// Binds a socket, and takes its port.
    ///
    /// - Returns: whether that worked.
    mutating func bind(_ descriptor: Int32) -> Bool {
        var length = socklen_t(octets.count)
        // Unsafe: the address has the given length.
        return unsafe octets.withUnsafeMutableBytes { octets in
            let address = unsafe octets.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return unsafe Glibc.bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
        }
    }

    /// Connects a socket.
    func connect(_ descriptor: Int32) {
        // Unsafe: the address has the given length.
        unsafe octets.withUnsafeBytes { octets in
            let address = unsafe octets.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            _ = unsafe Glibc.connect(descriptor, address, socklen_t(octets.count))
        }
    }
}
