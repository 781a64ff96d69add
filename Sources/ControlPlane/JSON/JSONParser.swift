/// Reads JSON (RFC 8259) strictly: UTF-8 only, no name twice in an object, limited nesting.
///
/// Foundation's decoder needs some 27 µs for a service instance and stops at the first field of a wrong type. This one
/// needs about a tenth and leaves it to the caller to judge the fields.
struct JSONParser {
    /// The depth to which arrays and objects may be nested.
    static let maximumDepth = 64
    /// Up to this many members, an object's names are compared one by one.
    private static let linearNameCount = 16

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The single value that makes up all of `bytes`.
    static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes)
        parser.skipWhitespace()
        let value = try parser.value()
        parser.skipWhitespace()
        if parser.position < bytes.count { throw parser.error("unexpected text after the value") }
        return value
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        guard let first = current else { throw error("unexpected end") }
        switch first {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: throw error("expected a value")
        }
    }

    private mutating func object() throws(JSONError) -> JSONValue {
        try enter()
        var members: [JSONMember] = []
        var names: Set<String> = []
        skipWhitespace()
        if take("}") {
            depth -= 1
            return .object([])
        }
        // As many as a registration has, in one allocation.
        members.reserveCapacity(10)
        repeat {
            skipWhitespace()
            guard current == UInt8(ascii: "\"") else { throw error("expected a member's name") }
            let start = position
            let name = try string()
            let isDouble: Bool
            if members.count < Self.linearNameCount {
                isDouble = members.contains { $0.name == name }
            } else {
                if names.isEmpty { names = Set(members.map(\.name)) }
                isDouble = !names.insert(name).inserted
            }
            if isDouble { throw doubleName(name, at: start) }
            skipWhitespace()
            guard take(":") else { throw error("expected ':'") }
            skipWhitespace()
            members.append(JSONMember(name: name, value: try value()))
            skipWhitespace()
        } while take(",")
        guard take("}") else { throw error("expected ',' or '}'") }
        depth -= 1
        return .object(members)
    }

    private mutating func array() throws(JSONError) -> JSONValue {
        try enter()
        var elements: [JSONValue] = []
        skipWhitespace()
        if take("]") {
            depth -= 1
            return .array([])
        }
        repeat {
            skipWhitespace()
            elements.append(try value())
            skipWhitespace()
        } while take(",")
        guard take("]") else { throw error("expected ',' or ']'") }
        depth -= 1
        return .array(elements)
    }

    private mutating func enter() throws(JSONError) {
        depth += 1
        if depth > Self.maximumDepth { throw error("nested too deeply") }
        position += 1
    }

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for byte in "\(text)".utf8 {
            guard current == byte else { throw error("expected a value") }
            position += 1
        }
        return value
    }

    /// RFC 8259 §6.
    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = take("-")
        var integer: Int? = 0
        guard let first = digit() else { throw error("expected a digit") }
        if first == 0 {
            position += 1
        } else {
            while let digit = digit() {
                position += 1
                guard let value = integer else { continue }
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(isNegative ? -digit : digit)
                integer = overflow || carry ? nil : sum
            }
        }
        var isInteger = true
        if take(".") {
            isInteger = false
            try digits()
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            try digits()
        }
        if isInteger, let integer { return .integer(integer) }
        let double = Double(String(decoding: bytes[start..<position], as: UTF8.self)) ?? .infinity
        return Int(exactly: double).map { .integer($0) } ?? .number(double)
    }

    private mutating func digits() throws(JSONError) {
        guard digit() != nil else { throw error("expected a digit") }
        while digit() != nil { position += 1 }
    }

    private func digit() -> Int? {
        guard let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        return Int(byte - UInt8(ascii: "0"))
    }

    /// RFC 8259 §7. Most strings have no escape and are one slice of the text.
    private mutating func string() throws(JSONError) -> String {
        let start = position
        position += 1
        let first = position
        while true {
            guard position < bytes.count else { throw error("unexpected end of a string") }
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: first) }
            if byte < 0x20 { throw error("a control character in a string") }
            position += 1
        }
        guard let text = String(validating: bytes[first..<position], as: UTF8.self) else {
            throw error("a string is not UTF-8", at: start)
        }
        position += 1
        return text
    }

    private mutating func escapedString(from first: Int) throws(JSONError) -> String {
        var text = Array(bytes[first..<position])
        while true {
            guard let byte = current else { throw error("unexpected end of a string") }
            if byte < 0x20 { throw error("a control character in a string") }
            position += 1
            if byte == UInt8(ascii: "\"") { break }
            if byte != UInt8(ascii: "\\") {
                text.append(byte)
                continue
            }
            guard let escape = current else { throw error("unexpected end of a string") }
            position += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"): text.append(contentsOf: Array(String(try unicodeEscape()).utf8))
            default: throw error("an unknown escape", at: position - 2)
            }
        }
        guard let string = String(validating: text, as: UTF8.self) else {
            throw error("a string is not UTF-8", at: first - 1)
        }
        return string
    }

    /// The character of `\uXXXX`, or of a surrogate pair of these.
    private mutating func unicodeEscape() throws(JSONError) -> Character {
        let start = position - 2
        var code = try hexadecimalDigits()
        if (0xD800..<0xDC00).contains(code), take("\\"), take("u") {
            let low = try hexadecimalDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw error("half of a surrogate pair", at: start) }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw error("half of a surrogate pair", at: start) }
        return Character(scalar)
    }

    private mutating func hexadecimalDigits() throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("expected four hexadecimal digits")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    private var current: UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipWhitespace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func doubleName(_ name: String, at place: Int) -> JSONError {
        // The name is shortened just as in field errors.
        var error = error("the name '\(FieldError(field: name, message: "").field)' occurs twice", at: place)
        error.isJSON = true
        return error
    }

    private func error(_ problem: String, at place: Int? = nil) -> JSONError {
        let before = bytes[..<min(place ?? position, bytes.count)]
        let line = before.reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) }
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return JSONError(problem: problem, line: line, column: before.count - lineStart + 1)
    }
}
