/// Random numbers determined by a seed.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        // Consecutive seeds must not give the same numbers a few steps apart.
        state = seed &* 0xD134_2543_DE82_EF95 &+ 0x2545_F491_4F6C_DD1D
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }

    /// A number below `limit`.
    mutating func below(_ limit: Int) -> Int { Int(truncatingIfNeeded: next() >> 1) % limit }

    mutating func within(_ range: ClosedRange<Microseconds>) -> Microseconds {
        range.lowerBound + Microseconds(below(Int(range.upperBound - range.lowerBound + 1)))
    }

    /// Whether something happens that happens once in `count` times.
    mutating func once(in count: Int) -> Bool { below(count) == 0 }

    /// Whether something happens that happens this many times in a thousand.
    mutating func happens(_ permille: Int) -> Bool { permille > 0 && below(1000) < permille }
}
