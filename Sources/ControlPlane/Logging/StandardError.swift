import Glibc

/// The process's standard error: a file, a pipe or a terminal, which other processes may write to as well.
enum StandardError {
    /// Writes a text, waiting for the reader if need be.
    ///
    /// The descriptor stays as it is: other processes share its flags.
    ///
    /// - Returns: whether all was written.
    static func write(_ text: String) -> Bool {
        let octets = Array(text.utf8)
        var written = 0
        while written < octets.count {
            // Unsafe: octets of the array are read, from the first that is not written to the last.
            let count = unsafe octets.withUnsafeBytes { bytes in
                unsafe Glibc.write(STDERR_FILENO, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
            }
            if count > 0 {
                written += count
            } else if errno == EAGAIN {
                // Somebody else has made it non-blocking.
                var descriptor = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
                // Unsafe: one value is read and written.
                _ = unsafe poll(&descriptor, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
