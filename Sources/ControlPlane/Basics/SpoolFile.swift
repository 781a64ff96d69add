import Glibc

/// A file without a name, for what comes from outside and does not fit into memory: only this process can read it, and
/// it is gone when it is dropped, however the process ends.
///
/// It is used by one thread at a time.
final class SpoolFile {
    /// Why it can't be used.
    struct Failure: Error, Sendable, CustomStringConvertible {
        /// What is wrong, in one line.
        let description: String
        /// Whether the file system is full.
        let isFull: Bool

        fileprivate init(_ folder: String, _ code: Int32) {
            description = "a temporary file in \(folder): \(FileReason.words(code: code))"
            isFull = code == ENOSPC || code == EDQUOT || code == EFBIG
        }
    }

    /// Where files may lie that have no better place: first where the system keeps large ones on a disk.
    static let usualFolders = ["/var/tmp", "/tmp"]
    /// The octets that are read at once.
    private static let pieceOctets = 1 << 18

    private let folder: String
    private let descriptor: Int32

    /// - Parameter folders: the first one that takes a file is used.
    init(in folders: [String]) throws(Failure) {
        var failure = Failure("/tmp", ENOENT)
        for folder in folders {
            let path = "\(folder)/.kong-discovery-\(getpid())-\(UInt64.random(in: 0 ... .max)).spool"
            // Unsafe: reads a C string during the call.
            let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else {
                failure = Failure(folder, errno)
                continue
            }
            // Unsafe: reads a C string during the call.
            _ = unsafe unlink(path)
            self.folder = folder
            self.descriptor = descriptor
            return
        }
        throw failure
    }

    deinit { close(descriptor) }

    /// Appends octets.
    func write(_ octets: [UInt8]) throws(Failure) {
        if let code = WholeWrite.write(octets, to: descriptor) { throw Failure(folder, code) }
    }

    /// Goes back to the beginning.
    func rewind() throws(Failure) {
        if lseek(descriptor, 0, SEEK_SET) != 0 { throw Failure(folder, errno) }
    }

    /// Reads the next octets; none at the end.
    func read() throws(Failure) -> [UInt8] {
        let (octets, code) = PieceRead.read(from: descriptor, atMost: Self.pieceOctets)
        if let code { throw Failure(folder, code) }
        return octets
    }
}
