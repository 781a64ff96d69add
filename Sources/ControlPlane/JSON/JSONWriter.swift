import NIOCore

/// Writes JSON (RFC 8259) as the octets of a response's body.
///
/// The caller is responsible for the structure; the writer puts a comma before every member and element but the first.
struct JSONWriter {
    /// The octets written so far.
    private(set) var octets: [UInt8] = []
    private var needsComma = false

    /// Begins with nothing written.
    init(capacity: Int = 512) {
        octets.reserveCapacity(capacity)
    }

    /// The octets as the body of a response, with a line feed so that a shell's prompt begins a new line.
    var line: ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: octets.count + 1)
        buffer.writeBytes(octets)
        buffer.writeInteger(UInt8(ascii: "\n"))
        return buffer
    }

    /// Removes the elements or members that were written last.
    ///
    /// - Parameter count: how many octets stay: the count that ``octets`` had after an element or member.
    mutating func takeBack(to count: Int) {
        octets.removeLast(max(0, octets.count - count))
        needsComma = octets.last != UInt8(ascii: "[") && octets.last != UInt8(ascii: "{")
    }

    /// Begins an object, as a value.
    mutating func beginObject() {
        separate()
        octets.append(UInt8(ascii: "{"))
        needsComma = false
    }

    /// Ends an object.
    mutating func endObject() {
        octets.append(UInt8(ascii: "}"))
        needsComma = true
    }

    /// Begins an object on a line of its own.
    mutating func beginLine() {
        needsComma = false
        beginObject()
    }

    /// Ends an object, and the line that it is on.
    mutating func endLine() {
        endObject()
        octets.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    /// Begins an array, as a value.
    mutating func beginArray() {
        separate()
        octets.append(UInt8(ascii: "["))
        needsComma = false
    }

    /// Ends an array.
    mutating func endArray() {
        octets.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// Begins a member of an object; its value comes next.
    ///
    /// - Parameter name: text that needs no escape.
    mutating func member(_ name: String) {
        separate()
        octets.append(UInt8(ascii: "\""))
        octets.append(contentsOf: name.utf8)
        octets.append(contentsOf: "\":".utf8)
        needsComma = false
    }

    /// Begins a member of an object whose name may be any text.
    mutating func member(any name: String) {
        string(name)
        octets.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A string as a value.
    mutating func string(_ text: String) {
        separate()
        octets.append(UInt8(ascii: "\""))
        if text.utf8.allSatisfy(Self.needsNoEscape) {
            octets.append(contentsOf: text.utf8)
        } else {
            writeEscaped(text)
        }
        octets.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// A whole number as a value.
    mutating func integer(_ number: some BinaryInteger) {
        separate()
        // String(number) would do it digit by digit for any kind of integer.
        octets.append(contentsOf: number.description.utf8)
        needsComma = true
    }

    /// A finite number as a value.
    ///
    /// - Parameter places: the number of decimals, 1 to 9.
    mutating func decimal(_ number: Double, places: Int = 3) {
        separate()
        let unit = (0..<places).reduce(1) { unit, _ in unit * 10 }
        let parts = Int(exactly: (number * Double(unit)).rounded()) ?? 0
        let fraction = String(abs(parts) % unit)
        octets.append(contentsOf: ("\(parts < 0 ? "-" : "")\(abs(parts) / unit).").utf8)
        octets.append(contentsOf: (String(repeating: "0", count: places - fraction.utf8.count) + fraction).utf8)
        needsComma = true
    }

    /// A Boolean as a value.
    mutating func bool(_ value: Bool) {
        separate()
        octets.append(contentsOf: (value ? "true" : "false").utf8)
        needsComma = true
    }

    /// `null`.
    mutating func null() {
        separate()
        octets.append(contentsOf: "null".utf8)
        needsComma = true
    }

    /// A value that is JSON already.
    mutating func json(_ value: [UInt8]) {
        separate()
        octets.append(contentsOf: value)
        needsComma = true
    }

    /// A moment as a value (RFC 3339), or `null`.
    mutating func time(_ time: WallTime?) {
        guard let time else { return null() }
        separate()
        octets.append(UInt8(ascii: "\""))
        CalendarTime(time).appendRFC3339(to: &octets)
        octets.append(UInt8(ascii: "\""))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { octets.append(UInt8(ascii: ",")) }
    }

    private static func needsNoEscape(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private mutating func writeEscaped(_ text: String) {
        let digits = Array("0123456789abcdef".utf8)
        for byte in text.utf8 {
            if Self.needsNoEscape(byte) {
                octets.append(byte)
            } else if byte < 0x20 {
                octets.append(contentsOf: "\\u00".utf8)
                octets.append(digits[Int(byte >> 4)])
                octets.append(digits[Int(byte & 15)])
            } else {
                octets.append(UInt8(ascii: "\\"))
                octets.append(byte)
            }
        }
    }
}
