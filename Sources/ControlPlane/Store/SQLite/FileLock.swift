import Foundation
import Glibc

/// A lock that one process has: on a file that is nothing else than that.
///
/// The system takes it back when the process ends, however it ends.
final class FileLock: Sendable {
    private let file: FileHandle

    /// Takes the lock.
    ///
    /// - Throws: ``StoreUnavailable`` when another process has it, or the file can't be made.
    init(path: String) throws(StoreUnavailable) {
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        guard let file = FileHandle(forUpdatingAtPath: path) else {
            throw StoreUnavailable(reason: "\(path): can't be written to (the file and its folder must be writable)")
        }
        guard flock(file.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw StoreUnavailable(reason: "\(path): another kong-discovery uses this database")
        }
        self.file = file
    }

    /// Gives it back.
    func release() {
        // Closing ends the lock; a descriptor that can't be closed is gone as well.
        try? file.close()
    }
}
