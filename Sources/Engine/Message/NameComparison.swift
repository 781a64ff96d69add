// Comparing names without regard to case (RFC 4343), eight octets at a time. Length octets of labels are
// below 64, so lowering a whole name in wire form changes only letters.

extension RawSpan {
    /// The eight octets from `offset` on, in memory order; octets beyond the end are 0.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        guard offset >= 0, offset < byteCount else { return 0 }
        if offset <= byteCount &- 8 {
            // Unsafe: eight octets, within bounds by the line above; no alignment is assumed.
            return UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
        }
        let count = byteCount &- offset
        if count >= 4 {
            // Unsafe: four octets each, the first and the last of these; all are within bounds. Octets that are in both
            // end up in the same places.
            let first = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self)
            let last = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: byteCount &- 4, as: UInt32.self)
            return UInt64(UInt32(littleEndian: first))
                | UInt64(UInt32(littleEndian: last)) &<< UInt64(8 &* (count &- 4))
        }
        let middle = count / 2
        // Unsafe: the first, the second if there are three, and the last octet: all are within bounds.
        return unsafe UInt64(unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
            | UInt64(unsafeLoad(fromUncheckedByteOffset: offset &+ middle, as: UInt8.self)) &<< UInt64(8 &* middle)
            | UInt64(unsafeLoad(fromUncheckedByteOffset: byteCount &- 1, as: UInt8.self)) &<< UInt64(8 &* (count &- 1))
    }

    /// Whether this name, in any case, is `name`, in lower case.
    @inline(__always)
    func isName(_ name: RawSpan) -> Bool {
        guard byteCount == name.byteCount else { return false }
        var offset = 0
        while offset < byteCount {
            // The last eight octets are compared as a whole, even if some of them are compared twice.
            let start = byteCount >= 8 ? min(offset, byteCount &- 8) : 0
            guard word(at: start).lowercasedASCII == name.word(at: start) else { return false }
            offset = start &+ 8
        }
        return true
    }
}

extension UInt64 {
    /// The same eight octets with A–Z in lower case.
    @inline(__always)
    var lowercasedASCII: UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let low = self & (0x7F &* ones)
        // The highest bit of each octet tells whether its lower seven bits are at least "A", or above "Z".
        let fromA = low &+ (0x80 - 0x41) &* ones
        let aboveZ = low &+ (0x80 - 0x5B) &* ones
        let isUpper = fromA & ~aboveZ & ~self & (0x80 &* ones)
        return self | isUpper >> 2
    }
}
