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
        var piece = [UInt8](repeating: 0, count: maximum)
        while true {
            // Unsafe: fills the array as far as it is long.
            let count = unsafe piece.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                piece.removeLast(maximum - count)
                return piece
            }
            if errno != EINTR { throw CommandFailure("\(name): can't be read: \(FileReason.words(code: errno))") }
        }
    }
}
