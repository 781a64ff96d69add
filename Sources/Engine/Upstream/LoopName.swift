/// Names that upstreams are asked for, to find out whether they lead back to this server: `<16 hex digits>` below
/// `loop.kong-discovery.internal`. Nobody has such names, because `internal` is for private use and never delegated. So
/// any server passes them on like other names.
enum LoopName {
    private static let suffix: [UInt8] =
        ["loop", "kong-discovery", "internal"].reduce(into: []) { name, label in
            name.append(UInt8(truncatingIfNeeded: label.utf8.count))
            name += label.utf8
        } + [0]

    private static let digits = [UInt8]("0123456789abcdef".utf8)

    /// The name of a number, in wire form.
    static func make(_ number: UInt64) -> [UInt8] {
        let label = (0..<16).map { digits[Int(number >> (60 - 4 * UInt64($0)) & 0xF)] }
        return [16] + label + suffix
    }

    /// The number of a name in wire form and lower case; `nil`: it is not such a name.
    static func number(of name: [UInt8]) -> UInt64? {
        guard name.count == 17 + suffix.count, name[0] == 16, name[17...].elementsEqual(suffix) else { return nil }
        var number: UInt64 = 0
        for letter in name[1...16] {
            guard let digit = digits.firstIndex(of: letter) else { return nil }
            number = number << 4 | UInt64(digit)
        }
        return number
    }
}
