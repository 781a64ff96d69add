/// SipHash of 64-bit words (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), by default SipHash-1-3.
///
/// Swift's `Hasher` is the same function, but calls into the standard library for each word, which takes twice as long.
struct SipHash {
    /// 128 secret bits.
    struct Key {
        var low: UInt64
        var high: UInt64
    }

    private let compressionRounds: Int
    private let finalizationRounds: Int
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    private var wordCount: UInt64 = 0

    @inline(__always)
    init(key: Key, compressionRounds: Int = 1, finalizationRounds: Int = 3) {
        self.compressionRounds = compressionRounds
        self.finalizationRounds = finalizationRounds
        v0 = key.low ^ 0x736f_6d65_7073_6575
        v1 = key.high ^ 0x646f_7261_6e64_6f6d
        v2 = key.low ^ 0x6c79_6765_6e65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    @inline(__always)
    mutating func combine(_ word: UInt64) {
        wordCount &+= 1
        compress(word)
    }

    /// The hash of what was combined, and of four more octets: the first in the lowest bits. Nothing may be combined
    /// afterwards.
    mutating func finalize(with octets: UInt32) -> UInt64 {
        finish((wordCount << 3 &+ 4) << 56 | UInt64(octets))
    }

    /// The hash of what was combined. Nothing may be combined afterwards.
    @inline(__always)
    mutating func finalize() -> UInt64 {
        // The last block has the count of octets, modulo 256, in its highest octet.
        finish(wordCount << 59)
    }

    @inline(__always)
    private mutating func finish(_ lastBlock: UInt64) -> UInt64 {
        compress(lastBlock)
        v2 ^= 0xFF
        for _ in 0..<finalizationRounds { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        for _ in 0..<compressionRounds { round() }
        v0 ^= word
    }

    @inline(__always)
    private mutating func round() {
        v0 &+= v1
        v2 &+= v3
        v1 = Self.rotate(v1, 13) ^ v0
        v3 = Self.rotate(v3, 16) ^ v2
        v0 = Self.rotate(v0, 32)
        v2 &+= v1
        v0 &+= v3
        v1 = Self.rotate(v1, 17) ^ v2
        v3 = Self.rotate(v3, 21) ^ v0
        v2 = Self.rotate(v2, 32)
    }

    @inline(__always)
    private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 { word &<< count | word &>> (64 &- count) }
}
