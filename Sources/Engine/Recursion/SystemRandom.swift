import CEvent

/// The system's cryptographic random numbers (getrandom(2)), fetched some hundred octets at a time: a forwarded query
/// needs some for its ID, its source port and the case of its letters (RFC 5452 §9.2), and a system call for each
/// would cost more than the rest of it.
@safe
struct SystemRandom: RandomNumberGenerator {
    private static let wordCount = 64

    private var words: [UInt64] = []

    /// A number that nobody can guess, used once.
    mutating func next() -> UInt64 {
        if words.isEmpty { refill() }
        return words.removeLast()
    }

    private mutating func refill() {
        words = [UInt64](repeating: 0, count: Self.wordCount)
        var filled = 0
        // Unsafe: the kernel writes to the array's octets alone. Up to 256 octets come whole and uninterrupted once the
        // system has gathered randomness, for which it waits (getrandom(2)).
        unsafe words.withUnsafeMutableBytes { octets in
            while filled < octets.count {
                let count = unsafe getrandom(
                    octets.baseAddress.map { unsafe $0 + filled }, min(256, octets.count - filled), 0)
                if count > 0 { filled += count }
            }
        }
    }
}
