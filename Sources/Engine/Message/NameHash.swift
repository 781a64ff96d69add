/// The hash by which names are found: SipHash with a new key for each process, so that nobody can choose names that
/// collide.
enum NameHash {
    private static let key = SipHash.Key(low: .random(in: .min ... .max), high: .random(in: .min ... .max))

    /// The hash of a name's labels above the origin, in any case.
    @inline(__always)
    static func hash(_ name: RawSpan) -> UInt64 {
        var hash = SipHash(key: key)
        name.hashName(into: &hash)
        return hash.finalize()
    }

    /// The hash of a whole name, in any case, and of the type in the question.
    @inline(__always)
    static func hash(_ name: RawSpan, type: RecordType) -> UInt64 {
        var hash = SipHash(key: key)
        name.hashName(into: &hash)
        hash.combine(UInt64(type.rawValue))
        return hash.finalize()
    }
}

extension RawSpan {
    /// Feeds this name to `hash` as if it were in lower case.
    @inline(__always)
    fileprivate func hashName(into hash: inout SipHash) {
        hash.combine(UInt64(truncatingIfNeeded: byteCount))
        var offset = 0
        while offset < byteCount {
            let start = byteCount >= 8 ? min(offset, byteCount &- 8) : 0
            hash.combine(word(at: start).lowercasedASCII)
            offset = start &+ 8
        }
    }
}
