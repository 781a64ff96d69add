import CEvent

/// The system's cryptographic random numbers (getrandom(2)), fetched some hundred octets at a time. A forwarded query
/// needs some for its ID, its source port and the case of its letters (RFC 5452 §9.2), and a system call for each would
/// cost more than the rest of the query.
@safe
struct SystemRandom: RandomNumberGenerator {
    /// The kernel delivers up to 256 octets completely and without interruption, once it has gathered randomness, which
    /// it waits for (getrandom(2)).
    private static let wordCount = 32

    private var words = InlineArray<32, UInt64>(repeating: 0)
    private var left = 0

    /// The next number, which nobody can guess.
    mutating func next() -> UInt64 {
        if left == 0 { refill() }
        left -= 1
        defer { words[left] = 0 }
        return words[left]
    }

    private mutating func refill() {
        // Unsafe: the kernel writes only to the array's octets.
        unsafe withUnsafeMutableBytes(of: &words) { octets in
            while unsafe getrandom(octets.baseAddress, octets.count, 0) != octets.count {}
        }
        left = Self.wordCount
    }
}
