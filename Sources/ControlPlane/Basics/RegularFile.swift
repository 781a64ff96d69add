import CFile
import Foundation
import Glibc

/// The content of a regular file, or of one that a link leads to. Nothing else is read: a pipe could block, and a
/// device have no end.
struct RegularFile {
    /// Why there is none, in words that follow the path.
    struct Failure: Error {
        let reason: String
    }

    let octets: [UInt8]
    /// Whether everybody on the machine may read it.
    let isReadableByOthers: Bool
    /// Whether others than its owner may write it.
    let isWritableByOthers: Bool

    /// Reads a file.
    ///
    /// - Parameter limit: the most octets it may have.
    init(path: String, limit: Int) throws(Failure) {
        // Unsafe: reads a C string during the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw Failure(reason: "can't be read: \(FileReason.words(code: errno))") }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let mode = file_mode_of_descriptor(descriptor)
        guard file_mode_is_regular(mode) else { throw Failure(reason: "can't be read: it is no regular file") }
        do {
            let data = try handle.read(upToCount: limit + 1) ?? Data()
            guard data.count <= limit else { throw Failure(reason: "is too large: at most \(limit) octets") }
            octets = Array(data)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(reason: "can't be read: \(FileReason.words(for: error))")
        }
        isReadableByOthers = mode & 0o004 != 0
        isWritableByOthers = mode & 0o022 != 0
    }
}
