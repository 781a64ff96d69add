import Crypto

/// The SHA-256 of a token: all that this server knows of it.
struct TokenHash: Sendable, Hashable {
    /// The digest's octets.
    let words: SIMD4<UInt64>

    /// The hash of a token.
    ///
    /// - Parameter token: its octets, as a client presents them.
    init(of token: some Sequence<UInt8>) {
        self.init(octets: SHA256.hash(data: Array(token)))
    }

    /// Reads 64 hexadecimal digits; `nil` for any other text.
    init?(hexadecimal text: String) {
        let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard text.utf8.count == 64, digits.count == 64 else { return nil }
        self.init(octets: stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
    }

    private init(octets: some Sequence<UInt8>) {
        var words = SIMD4<UInt64>()
        var word: UInt64 = 0
        var count = 0
        for octet in octets {
            word = word << 8 | UInt64(octet)
            count += 1
            if count & 7 == 0 { words[count >> 3 - 1] = word }
        }
        self.words = words
    }

    /// 64 hexadecimal digits in lower case.
    var hexadecimal: String {
        (0..<4).map { place in
            let digits = String(words[place], radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
    }

    /// Enough of it to tell it from others, and too little to try tokens against.
    var masked: String { hexadecimal.prefix(8) + "…" }
}
