import Glibc

/// A file that is written under another name and gets its own when it is complete: nobody ever sees a part of it, and
/// an existing file stays if something goes wrong.
final class OutputFile {
    private let path: String
    private let draft: String
    private var descriptor: Int32

    /// - Parameter mode: who may read and write it, as far as the process's umask allows.
    init(path: String, mode: mode_t = 0o666) throws(CommandFailure) {
        self.path = path
        draft = "\(path).\(getpid()).part"
        // Unsafe: reads a C string during the call.
        descriptor = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw CommandFailure("\(draft): can't be made: \(FileReason.words(code: errno))") }
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        // Unsafe: reads a C string during the call.
        _ = unsafe unlink(draft)
    }

    /// Appends octets.
    func write(_ octets: [UInt8]) throws(CommandFailure) {
        guard let code = WholeWrite.write(octets, to: descriptor) else { return }
        throw CommandFailure("\(draft): can't be written: \(FileReason.words(code: code))")
    }

    /// Writes what the system still holds, and gives the file its name.
    func commit() throws(CommandFailure) {
        guard fsync(descriptor) == 0 else {
            throw CommandFailure("\(draft): can't be written: \(FileReason.words(code: errno))")
        }
        // Unsafe: reads two C strings during the call.
        guard unsafe rename(draft, path) == 0 else {
            throw CommandFailure("\(path): can't be replaced: \(FileReason.words(code: errno))")
        }
        close(descriptor)
        descriptor = -1
    }
}
