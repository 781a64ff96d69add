import Glibc
import Synchronization

/// A lock that one process can hold, on a file that serves only for this.
///
/// The system releases it when the process ends, however it ends.
final class FileLock: Sendable {
    /// How often the file may be replaced while it is being locked, before another process is said to be using it.
    private static let maximumAttempts = 100

    private let path: String
    private let identity: FileIdentity
    private let descriptor: Mutex<Int32?>

    /// Acquires the lock.
    ///
    /// - Throws: ``StoreUnavailable`` if another process has it, or the file can't be made.
    init(path: String) throws(StoreUnavailable) {
        self.path = path
        for _ in 0..<Self.maximumAttempts {
            // Unsafe: reads a C string during the call.
            let descriptor = unsafe open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else {
                throw StoreUnavailable(
                    reason: "\(path): can't be written to: \(FileReason.words(code: errno)) "
                        + "(the file and its folder must be writable, and the file must be no link)")
            }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                close(descriptor)
                let reason =
                    code == EWOULDBLOCK
                    ? "another kong-discovery uses this database" : "can't be locked: \(FileReason.words(code: code))"
                throw StoreUnavailable(reason: "\(path): \(reason)")
            }
            // Removing the file does not release the lock, but lets the next process lock a new file. Only a lock on
            // the file that has the name counts.
            if let own = FileIdentity(of: descriptor), own == FileIdentity(path: path) {
                identity = own
                self.descriptor = Mutex(descriptor)
                return
            }
            close(descriptor)
        }
        throw StoreUnavailable(reason: "\(path): somebody keeps removing it")
    }

    /// Whether it still keeps others out: once the file is removed, they lock another one.
    var isEffective: Bool { FileIdentity(path: path) == identity }

    /// Releases the lock.
    func release() {
        // Closing releases the lock; even if close fails, the descriptor is gone.
        if let descriptor = descriptor.withLock({ $0.take() }) { close(descriptor) }
    }

    deinit { release() }
}
