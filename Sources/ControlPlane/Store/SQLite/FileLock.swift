import Glibc
import Synchronization

/// A lock that one process has: on a file that is nothing else than that.
///
/// The system takes it back when the process ends, however it ends.
final class FileLock: Sendable {
    /// How often the file may be another one than was locked before somebody is said to be at work on it.
    private static let maximumAttempts = 100

    private let path: String
    private let identity: FileIdentity
    private let descriptor: Mutex<Int32?>

    /// Takes the lock.
    ///
    /// - Throws: ``StoreUnavailable`` when another process has it, or the file can't be made.
    init(path: String) throws(StoreUnavailable) {
        self.path = path
        for _ in 0..<Self.maximumAttempts {
            // Unsafe: reads a C string for the time of the call.
            let descriptor = unsafe open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else {
                throw StoreUnavailable(
                    reason: "\(path): can't be written to: \(FileReason.words(code: errno)) "
                        + "(the file and its folder must be writable, and it no link)")
            }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                close(descriptor)
                let reason =
                    code == EWOULDBLOCK
                    ? "another kong-discovery uses this database" : "can't be locked: \(FileReason.words(code: code))"
                throw StoreUnavailable(reason: "\(path): \(reason)")
            }
            // Whoever removes the file takes the lock from nobody, but gives it to the next who comes: only that on the
            // file which has the name counts.
            if let own = FileIdentity(of: descriptor), own == FileIdentity(path: path) {
                identity = own
                self.descriptor = Mutex(descriptor)
                return
            }
            close(descriptor)
        }
        throw StoreUnavailable(reason: "\(path): somebody keeps removing it")
    }

    /// Whether it still keeps others out: not once somebody has removed the file, for then they lock another one.
    var isEffective: Bool { FileIdentity(path: path) == identity }

    /// Gives it back.
    func release() {
        // Closing ends the lock; a descriptor that can't be closed is gone as well.
        if let descriptor = descriptor.withLock({ $0.take() }) { close(descriptor) }
    }

    deinit { release() }
}
