import Glibc

/// A file, pipe or standard input that is read from its beginning to its end.
final class InputFile {
    /// The octets that are read at once.
    private static let pieceOctets = 1 << 18

    /// What it is called in messages.
    let name: String
    private let descriptor: Int32

    /// - Parameter path: `-` is standard input.
    init(path: String) throws(CommandFailure) {
        if path == "-" {
            (name, descriptor) = ("standard input", STDIN_FILENO)
            return
        }
        // Unsafe: reads a C string during the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw CommandFailure("\(path): can't be read: \(FileReason.words(code: errno))") }
        (name, self.descriptor) = (path, descriptor)
    }

    deinit {
        if descriptor != STDIN_FILENO { close(descriptor) }
    }

    /// Reads the next octets, and waits for them if necessary; none at the end.
    func read(atMost maximum: Int = InputFile.pieceOctets) throws(CommandFailure) -> [UInt8] {
        let (octets, code) = PieceRead.read(from: descriptor, atMost: maximum)
        if let code { throw CommandFailure("\(name): can't be read: \(FileReason.words(code: code))") }
        return octets
    }
}
