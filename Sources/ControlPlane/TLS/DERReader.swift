/// Reads values in DER (X.690) one after the other. It trusts no length.
struct DERReader {
    /// One value.
    struct Value {
        /// The identifier octet: class, form and number.
        let tag: UInt8
        let content: ArraySlice<UInt8>
        /// With tag and length.
        let whole: ArraySlice<UInt8>
    }

    private var octets: ArraySlice<UInt8>

    init(_ octets: ArraySlice<UInt8>) {
        self.octets = octets
    }

    /// The next value; `nil` at the end, and for what is no value: long tags, lengths that are indefinite or too large.
    mutating func next() -> Value? {
        let start = octets
        guard let tag = octets.popFirst(), tag & 0x1F != 0x1F, let first = octets.popFirst() else { return nil }
        var length = Int(first)
        if first >= 0x80 {
            let count = Int(first & 0x7F)
            guard (1...4).contains(count), octets.count >= count else { return nil }
            length = octets.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            octets.removeFirst(count)
        }
        guard octets.count >= length else { return nil }
        let content = octets.prefix(length)
        octets.removeFirst(length)
        return Value(tag: tag, content: content, whole: start[start.startIndex..<content.endIndex])
    }

    /// The content of the next value, if it has this tag.
    mutating func next(_ tag: UInt8) -> ArraySlice<UInt8>? {
        guard let value = next(), value.tag == tag else { return nil }
        return value.content
    }
}
