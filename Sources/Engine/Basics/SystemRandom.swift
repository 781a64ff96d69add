import CEvent

/// The system's cryptographic random numbers (getrandom(2)), fetched some hundred octets at a time: a forwarded query
/// needs some for its ID, its source port and the case of its letters (RFC 5452 §9.2), and a system call for each
/// would cost more than the rest of it.
@safe
struct SystemRandom: RandomNumberGenerator {
    /// Up to 256 octets come whole and uninterrupted, once the system has gathered randomness, for which it waits
    /// (getrandom(2)).
    private static let wordCount = 32

    private var words = InlineArray<32, UInt64>(repeating: 0)
    private var left = 0

    /// A number that nobody can guess, used once.
    mutating func next() -> UInt64 {
        if left == 0 { refill() }
        left -= 1
        defer { words[left] = 0 }
        return words[left]
    }

    private mutating func refill() {
        // Unsafe: the kernel writes to the array's octets alone.
        unsafe withUnsafeMutableBytes(of: &words) { octets in
            while unsafe getrandom(octets.baseAddress, octets.count, 0) != octets.count {}
        }
        left = Self.wordCount
    }
}
