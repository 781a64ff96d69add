import CEvent

extension SocketAddress {
    /// Writes the address in the socket API's form.
    ///
    /// - Returns: its length in octets.
    func write(to storage: inout sockaddr_storage) -> socklen_t {
        // Unsafe: sockaddr_storage has the size and alignment for both forms.
        unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            switch address {
            case .v4(let value):
                var form = sockaddr_in()
                form.sin_family = sa_family_t(AF_INET)
                form.sin_port = port.bigEndian
                form.sin_addr.s_addr = value.bigEndian
                unsafe bytes.storeBytes(of: form, as: sockaddr_in.self)
                return socklen_t(MemoryLayout<sockaddr_in>.size)
            case .v6(let high, let low):
                var form = sockaddr_in6()
                form.sin6_family = sa_family_t(AF_INET6)
                form.sin6_port = port.bigEndian
                unsafe withUnsafeMutableBytes(of: &form.sin6_addr) { octets in
                    unsafe octets.storeBytes(of: high.bigEndian, as: UInt64.self)
                    unsafe octets.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
                }
                unsafe bytes.storeBytes(of: form, as: sockaddr_in6.self)
                return socklen_t(MemoryLayout<sockaddr_in6>.size)
            }
        }
    }

    /// Reads the socket API's form; `nil` if it is neither IPv4 nor IPv6.
    init?(_ storage: sockaddr_storage) {
        // Unsafe: sockaddr_storage has the size and alignment for both forms.
        let read: SocketAddress? = unsafe withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let form = unsafe bytes.load(as: sockaddr_in.self)
                return SocketAddress(
                    .v4(UInt32(bigEndian: form.sin_addr.s_addr)), port: UInt16(bigEndian: form.sin_port))
            case AF_INET6:
                let form = unsafe bytes.load(as: sockaddr_in6.self)
                let (high, low) = unsafe withUnsafeBytes(of: form.sin6_addr) { octets in
                    unsafe (
                        UInt64(bigEndian: octets.loadUnaligned(as: UInt64.self)),
                        UInt64(bigEndian: octets.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                    )
                }
                return SocketAddress(.v6(high, low), port: UInt16(bigEndian: form.sin6_port))
            default: return nil
            }
        }
        guard let read else { return nil }
        self = read
    }
}
