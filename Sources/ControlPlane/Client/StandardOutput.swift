import Glibc

/// The process's standard output: what a command is asked for goes there, and nothing else.
enum StandardOutput {
    /// Writes all octets, and waits for the reader if necessary.
    ///
    /// If the reader has gone, as `head` goes when it has seen enough, the program ends as other programs do then: by
    /// SIGPIPE, without a word.
    ///
    /// - Throws: if they can't be written, because the disk is full.
    static func write(_ octets: [UInt8]) throws(CommandFailure) {
        var written = 0
        while written < octets.count {
            // Unsafe: reads the octets of the array that are not written yet.
            let count = unsafe octets.withUnsafeBytes { bytes in
                unsafe Glibc.write(STDOUT_FILENO, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
            }
            if count > 0 {
                written += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Another process has made the descriptor non-blocking.
                var descriptor = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                // Unsafe: reads and writes one value.
                _ = unsafe poll(&descriptor, 1, -1)
            case EPIPE:
                signal(SIGPIPE, SIG_DFL)
                raise(SIGPIPE)
            default: throw CommandFailure("standard output: \(FileReason.words(code: errno))")
            }
        }
    }

    /// Writes a text.
    static func write(_ text: String) throws(CommandFailure) {
        try write(Array(text.utf8))
    }

    /// Makes writing to a connection or reader that has gone an error of that write.
    static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
