import CEvent

// Reading and writing network octets through spans. Every function checks its bounds before it touches memory.

extension RawSpan {
    /// The octet at `offset`; `nil` beyond the end.
    @inline(__always)
    func octet(at offset: Int) -> UInt8? {
        guard offset >= 0, offset < byteCount else { return nil }
        // Unsafe: one octet, within bounds by the line above.
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// The 16-bit number in network order at `offset`; `nil` beyond the end.
    @inline(__always)
    func uint16(at offset: Int) -> UInt16? {
        guard offset >= 0, offset <= byteCount &- 2 else { return nil }
        // Unsafe: two octets, within bounds by the line above; no alignment is assumed.
        return UInt16(
            bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
    }

    /// The 32-bit number in network order at `offset`; `nil` beyond the end.
    @inline(__always)
    func uint32(at offset: Int) -> UInt32? {
        guard offset >= 0, offset <= byteCount &- 4 else { return nil }
        // Unsafe: four octets, within bounds by the line above; no alignment is assumed.
        return UInt32(
            bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    }

    /// Whether both have the same octets.
    @inline(__always)
    func hasSameOctets(as other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        // Unsafe: memcmp reads `byteCount` octets of both, and both have as many.
        return unsafe withUnsafeBytes { mine in
            unsafe other.withUnsafeBytes { theirs in
                guard let mine = mine.baseAddress, let theirs = theirs.baseAddress else { return true }
                return unsafe memcmp(mine, theirs, byteCount) == 0
            }
        }
    }

    /// The octets as an array.
    var array: [UInt8] {
        // Unsafe: the octets are copied before the buffer ends.
        unsafe withUnsafeBytes { unsafe [UInt8]($0) }
    }
}

extension OutputRawSpan {
    /// Appends the octets of `source`, or none of them if they don't fit.
    ///
    /// - Returns: whether they fitted.
    @inline(__always)
    @discardableResult
    @_lifetime(self: copy self)
    mutating func append(octets source: RawSpan) -> Bool {
        let count = source.byteCount
        guard count <= freeCapacity else { return false }
        // Unsafe: `count` octets are free behind the initialized ones, and `source` has as many. They can't overlap,
        // because this span is held exclusively.
        unsafe withUnsafeMutableBytes { buffer, initialized in
            unsafe source.withUnsafeBytes { source in
                guard let target = buffer.baseAddress, let source = source.baseAddress else { return }
                unsafe (target + initialized).copyMemory(from: source, byteCount: count)
            }
            initialized &+= count
        }
        return true
    }

    /// Appends `value` in network order, or nothing if it doesn't fit.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(bigEndian value: UInt16) {
        guard freeCapacity >= 2 else { return }
        // Unsafe: any two octets are a UInt16; they fit by the line above.
        unsafe append(value.bigEndian, as: UInt16.self)
    }

    /// Appends `value` in network order, or nothing if it doesn't fit.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(bigEndian value: UInt32) {
        guard freeCapacity >= 4 else { return }
        // Unsafe: any four octets are a UInt32; they fit by the line above.
        unsafe append(value.bigEndian, as: UInt32.self)
    }

    /// Appends `value` in network order, or nothing if it doesn't fit.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(bigEndian value: UInt64) {
        guard freeCapacity >= 8 else { return }
        // Unsafe: any eight octets are a UInt64; they fit by the line above.
        unsafe append(value.bigEndian, as: UInt64.self)
    }

    /// Replaces the two octets at `offset` with `value` in network order; does nothing if they are not written yet.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func replace(at offset: Int, bigEndian value: UInt16) {
        guard offset >= 0, offset <= byteCount &- 2 else { return }
        // Unsafe: these two octets are initialized, by the line above; no alignment is assumed.
        unsafe withUnsafeMutableBytes { buffer, _ in
            unsafe buffer.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
        }
    }

    /// Replaces the four octets at `offset` with `value` in network order; does nothing if they are not written yet.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func replace(at offset: Int, bigEndian32 value: UInt32) {
        guard offset >= 0, offset <= byteCount &- 4 else { return }
        // Unsafe: these four octets are initialized, by the line above; no alignment is assumed.
        unsafe withUnsafeMutableBytes { buffer, _ in
            unsafe buffer.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
        }
    }

    /// Replaces the eight octets at `offset` with `value` in network order; does nothing if they are not written yet.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func replace(at offset: Int, bigEndian64 value: UInt64) {
        guard offset >= 0, offset <= byteCount &- 8 else { return }
        // Unsafe: these eight octets are initialized, by the line above; no alignment is assumed.
        unsafe withUnsafeMutableBytes { buffer, _ in
            unsafe buffer.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
        }
    }

    /// Replaces the octets at `offset` with those of `source`; does nothing if they are not written yet.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func replace(at offset: Int, octets source: RawSpan) {
        let count = source.byteCount
        guard offset >= 0, count <= byteCount, offset <= byteCount &- count else { return }
        // Unsafe: these `count` octets are initialized, by the line above, and `source` has as many.
        unsafe withUnsafeMutableBytes { buffer, _ in
            unsafe source.withUnsafeBytes { source in
                guard let target = buffer.baseAddress, let source = source.baseAddress else { return }
                unsafe (target + offset).copyMemory(from: source, byteCount: count)
            }
        }
    }
}

extension OutputRawSpan {
    /// Moves all octets from `offset` on by `count` octets towards the end, to make room for others. The caller must
    /// replace those in the gap.
    ///
    /// - Returns: `false` if there is no room; nothing has changed then.
    @_lifetime(self: copy self)
    mutating func makeRoom(at offset: Int, count: Int) -> Bool {
        guard offset >= 0, offset <= byteCount, count >= 0, count <= freeCapacity else { return false }
        // Unsafe: `count` octets are free behind the initialized ones. Those in the gap keep their values, or become 0.
        unsafe withUnsafeMutableBytes { buffer, initialized in
            guard let start = buffer.baseAddress else { return }
            unsafe (start + initialized).initializeMemory(as: UInt8.self, repeating: 0, count: count)
            unsafe (start + offset + count).copyMemory(from: start + offset, byteCount: initialized - offset)
            initialized &+= count
        }
        return true
    }
}

extension [UInt8] {
    /// The array's octets.
    var rawSpan: RawSpan {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            // Unsafe: this is safe only for types without padding; octets have none.
            unsafe span.bytes
        }
    }

    /// Appends the octets of `source`, with A–Z in lower case.
    mutating func append(lowerCase source: RawSpan) {
        for offset in 0..<source.byteCount { append((source.octet(at: offset) ?? 0).lowercasedASCII) }
    }

    /// Appends `value` in network order.
    mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    /// Replaces the octets from `offset` on with `value` in network order; they must exist.
    mutating func replace(at offset: Int, bigEndian value: some FixedWidthInteger & UnsignedInteger) {
        for index in 0..<(value.bitWidth / 8) {
            self[offset + index] = UInt8(truncatingIfNeeded: value >> (value.bitWidth - 8 - 8 * index))
        }
    }

    /// Appends the octets of `source`.
    mutating func append(octets source: RawSpan) {
        // Unsafe: the octets are copied before the buffer ends.
        unsafe source.withUnsafeBytes { unsafe append(contentsOf: $0) }
    }
}

extension UInt8 {
    /// The same octet, with A–Z in lower case.
    @inline(__always)
    var lowercasedASCII: UInt8 { isLetterASCII && self < 0x60 ? self | 0x20 : self }

    /// Whether it is one of A–Z and a–z.
    @inline(__always)
    var isLetterASCII: Bool { (0x61...0x7A).contains(self | 0x20) }
}
