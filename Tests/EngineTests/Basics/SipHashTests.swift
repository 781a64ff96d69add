import Testing

@testable import Engine

struct SipHashTests {
    /// The hash of the octets 0, 1, 2, …, passed in words.
    private func hash(_ wordCount: Int, _ hash: SipHash) -> UInt64 {
        var hash = hash
        for word in 0..<wordCount {
            hash.combine((0..<8).reduce(0) { $0 | UInt64(word * 8 + $1) << UInt64(8 * $1) })
        }
        return hash.finalize()
    }

    private let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)

    /// The vectors of the reference implementation are for SipHash-2-4.
    @Test func `it is the reference's function`() {
        let expected: [UInt64] = [
            0x726f_db47_dd0e_0e31, 0x93f5_f579_9a93_2462, 0x3f2a_cc7f_57c2_9bdb, 0xb8ad_50c6_f649_af94,
            0x7127_512f_72f2_7cce, 0x0e3e_a96b_5304_a7d0, 0xe612_a3cb_9ecb_a951, 0xb78d_bfaf_3a8d_83bd,
        ]
        for (wordCount, value) in expected.enumerated() {
            #expect(hash(wordCount, SipHash(key: key, compressionRounds: 2, finalizationRounds: 4)) == value)
        }
    }

    @Test func `rounds, key, words and their number make a difference`() {
        let other = SipHash.Key(low: key.low, high: key.high ^ 1 << 63)
        let hashes = [
            hash(2, SipHash(key: key)), hash(2, SipHash(key: other)), hash(3, SipHash(key: key)),
            hash(2, SipHash(key: key, compressionRounds: 2)), hash(2, SipHash(key: key, finalizationRounds: 4)),
        ]
        #expect(Set(hashes).count == hashes.count)
        #expect(hash(2, SipHash(key: key)) == hashes[0])
    }
}
