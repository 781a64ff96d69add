import Glibc

/// Reads from descriptors.
enum PieceRead {
    /// Reads the next octets, and waits for them if necessary.
    ///
    /// - Parameter maximum: how many there may be; 1 or more.
    /// - Returns: none at the end, and then the system's code of what went wrong (errno(3)), if anything has.
    static func read(from descriptor: Int32, atMost maximum: Int) -> (octets: [UInt8], code: Int32?) {
        var piece = [UInt8](repeating: 0, count: maximum)
        while true {
            // Unsafe: fills the array as far as it is long.
            let count = unsafe piece.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                piece.removeLast(maximum - count)
                return (piece, nil)
            }
            if errno != EINTR { return ([], errno) }
        }
    }
}
