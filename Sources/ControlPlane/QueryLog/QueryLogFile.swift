import Glibc

/// A file that lines are added to: a regular one, a pipe or a device. A full pipe holds nobody up for longer than
/// ``patience``.
final class QueryLogFile: Sendable {
    /// Why it can't be opened or written, in the system's words.
    struct Failure: Error {
        let reason: String
    }

    /// How long the reader of a pipe may take.
    private static let patienceMilliseconds: Int32 = 100

    /// Its absolute path.
    let path: String
    private let descriptor: Int32

    /// Opens a file, and makes it if there is none: its owner may write it, the group may read it, and others nothing,
    /// or less if the process's mask says so.
    init(path: String) throws(Failure) {
        self.path = FileReason.absolute(path)
        // A pipe that nobody reads is an error, instead of waiting for a reader.
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        // Unsafe: reads a C string during the call.
        descriptor = unsafe open(path, flags, 0o640)
        guard descriptor >= 0 else { throw Failure(reason: FileReason.words(code: errno)) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Writes octets as far as possible.
    ///
    /// - Returns: how many were written, and if that is not all of them, the reason.
    func write(_ octets: [UInt8]) -> (count: Int, failure: Failure?) {
        var written = 0
        var hasWaited = false
        while written < octets.count {
            // Unsafe: reads the octets of the array that are not written yet.
            let count = unsafe octets.withUnsafeBytes { bytes in
                unsafe Glibc.write(descriptor, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
            }
            if count > 0 {
                written += count
                continue
            }
            let code = errno
            if count < 0, code == EINTR { continue }
            guard code == EAGAIN, !hasWaited else { return (written, Failure(reason: FileReason.words(code: code))) }
            hasWaited = true
            var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            // Unsafe: reads and writes one value.
            _ = unsafe poll(&state, 1, Self.patienceMilliseconds)
        }
        return (written, nil)
    }
}
