import Glibc

/// The process's standard error: a file, a pipe or a terminal, which other processes may write to as well.
enum StandardError {
    /// Writes a text, and waits for the reader if necessary.
    ///
    /// The descriptor's flags are not changed, because other processes share them.
    ///
    /// - Returns: whether everything was written.
    static func write(_ text: String) -> Bool {
        let octets = Array(text.utf8)
        var written = 0
        while written < octets.count {
            // Unsafe: reads the octets of the array that are not written yet.
            let count = unsafe octets.withUnsafeBytes { bytes in
                unsafe Glibc.write(STDERR_FILENO, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
            }
            if count > 0 {
                written += count
            } else if errno == EAGAIN {
                // Another process has made the descriptor non-blocking.
                var descriptor = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
                // Unsafe: reads and writes one value.
                _ = unsafe poll(&descriptor, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
