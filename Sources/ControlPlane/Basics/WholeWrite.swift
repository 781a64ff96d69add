import Glibc

/// Writes to descriptors that other processes may share, such as standard output.
enum WholeWrite {
    /// Writes all octets, and waits for the reader if necessary.
    ///
    /// The descriptor's flags are not changed, because other processes share them.
    ///
    /// - Returns: the system's code of what went wrong (errno(3)); `nil`: everything is written.
    static func write(_ octets: [UInt8], to descriptor: Int32) -> Int32? {
        var written = 0
        while written < octets.count {
            // Unsafe: reads the octets of the array that are not written yet.
            let count = unsafe octets.withUnsafeBytes { bytes in
                unsafe Glibc.write(descriptor, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
            }
            if count > 0 {
                written += count
            } else if count == 0 {
                // A device that takes nothing would be asked for ever.
                return EIO
            } else if errno == EAGAIN {
                // Another process has made the descriptor non-blocking.
                var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                // Unsafe: reads and writes one value.
                _ = unsafe poll(&state, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return nil
    }
}
