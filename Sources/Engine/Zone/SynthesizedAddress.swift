/// Names of the form `<hex>.addr.<origin>`: they contain their address, so they are answered without any state.
enum SynthesizedAddress {
    /// The label above the origin, in wire form.
    static let label: [UInt8] = [4] + "addr".utf8

    /// Reads the address from the labels above the origin, in any case.
    ///
    /// - Parameter relative: `<hex>.addr` in wire form.
    static func read(_ relative: RawSpan) -> IPAddress? {
        guard let digitCount = relative.octet(at: 0), digitCount == 8 || digitCount == 32 else {
            return nil
        }
        guard relative.byteCount == 1 + Int(digitCount) + 5 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for offset in 1...Int(digitCount) {
            guard let character = relative.octet(at: offset), let value = hexValue(character) else {
                return nil
            }
            high = high << 4 | low >> 60
            low = low << 4 | UInt64(value)
        }
        return digitCount == 8 ? .v4(UInt32(truncatingIfNeeded: low)) : .v6(high, low)
    }

    /// Whether `relative`, the labels above the origin, ends in the label `addr` at `offset`.
    @inline(__always)
    static func isBelow(_ relative: RawSpan, lastLabelOffset offset: Int) -> Bool {
        relative.byteCount &- offset == 5 && relative.octet(at: offset) == 4
            && relative.uint32(at: offset &+ 1).map { $0 | 0x2020_2020 } == 0x6164_6472  // "addr"
    }

    private static func hexValue(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
