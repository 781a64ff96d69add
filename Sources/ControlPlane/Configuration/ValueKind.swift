import Engine

/// Reads, checks and writes the text of one value.
struct ValueKind<Value: Equatable & Sendable>: Sendable {
    /// What is allowed, as a phrase: `a whole number, 0–256`.
    let allowed: String
    /// Whether a text in quotes can be such a value; a quoted number can't, because it is a string.
    let acceptsQuotes: Bool
    /// Reads a value.
    let parse: @Sendable (String) throws(InvalidValue) -> Value
    /// Writes a value in the form that ``parse`` reads.
    let format: @Sendable (Value) -> String
}

/// Why a text is not a value: the words that follow it in a message, such as `is too small: 1s or more`.
struct InvalidValue: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

extension [String] {
    /// `a, b or c`.
    var alternatives: String {
        count < 2 ? joined() : dropLast().joined(separator: ", ") + " or " + (last ?? "")
    }
}

extension ValueKind where Value == Int {
    /// A whole number in decimal digits.
    static func integer(_ range: ClosedRange<Int>) -> Self {
        let allowed = "a whole number, \(range.lowerBound)–\(range.upperBound)"
        return ValueKind(allowed: allowed, acceptsQuotes: false) { text throws(InvalidValue) in
            let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
            // YAML 1.1 reads 010 as eight. A number that readers understand differently is refused.
            guard !digits.isEmpty, digits.utf8.allSatisfy(isDigit), digits.count == 1 || digits.first != "0" else {
                throw InvalidValue("is not \(allowed)")
            }
            // A number that Int can't hold is far outside every range.
            let number = Int(text) ?? (text.hasPrefix("-") ? .min : .max)
            return try checked(number, in: range, format: \.description)
        } format: {
            "\($0)"
        }
    }
}

extension ValueKind where Value == Double {
    /// A number with an optional fraction.
    static func number(_ range: ClosedRange<Double>) -> Self {
        let allowed = "a number, \(range.lowerBound.shortDescription)–\(range.upperBound.shortDescription)"
        return ValueKind(allowed: allowed, acceptsQuotes: false) { text throws(InvalidValue) in
            let looksDecimal = text.utf8.allSatisfy { isDigit($0) || "+-.eE".utf8.contains($0) }
            guard looksDecimal, let number = Double(text), number.isFinite else {
                throw InvalidValue("is not \(allowed)")
            }
            return try checked(number, in: range, format: \.shortDescription)
        } format: {
            $0.shortDescription
        }
    }
}

extension ValueKind where Value == Bool {
    /// `true` or `false`, but not YAML 1.1's `yes`, `on` and `y`.
    static var boolean: Self {
        ValueKind(allowed: "true or false", acceptsQuotes: false) { text throws(InvalidValue) in
            switch text {
            case "true": true
            case "false": false
            default: throw InvalidValue("is neither true nor false")
            }
        } format: {
            "\($0)"
        }
    }
}

extension ValueKind where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    /// One of an enumeration's names.
    static var choice: Self {
        let allowed = Value.allCases.map(\.rawValue).alternatives
        return ValueKind(allowed: allowed, acceptsQuotes: true) { text throws(InvalidValue) in
            guard let value = Value(rawValue: text) else {
                throw InvalidValue("is unknown: \(allowed)")
            }
            return value
        } format: {
            $0.rawValue
        }
    }
}

extension ValueKind where Value == String {
    /// Any text without control characters; its length is in octets.
    static func text(_ length: ClosedRange<Int> = 0...4096, what: String = "text") -> Self {
        let empty = length.lowerBound > 0 ? ", not empty" : ""
        let allowed = "\(what), at most \(length.upperBound) octets\(empty)"
        return ValueKind(allowed: allowed, acceptsQuotes: true) { text throws(InvalidValue) in
            guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
                throw InvalidValue("holds a control character")
            }
            guard text.utf8.count >= length.lowerBound else { throw InvalidValue("is empty") }
            guard text.utf8.count <= length.upperBound else {
                throw InvalidValue("is too long: at most \(length.upperBound) octets")
            }
            return text
        } format: {
            $0
        }
    }

    /// The path of a file.
    static func path(_ length: ClosedRange<Int> = 0...4096) -> Self { text(length, what: "a path") }
}

/// Whether an octet is one of `0`–`9`.
func isDigit(_ octet: UInt8) -> Bool { (48...57).contains(octet) }

/// The value, if it is in the range.
func checked<Value: Comparable>(
    _ value: Value,
    in range: ClosedRange<Value>,
    format: (Value) -> String
) throws(InvalidValue) -> Value {
    if value < range.lowerBound { throw InvalidValue("is too small: \(format(range.lowerBound)) or more") }
    if value > range.upperBound { throw InvalidValue("is too large: \(format(range.upperBound)) or less") }
    return value
}

extension Double {
    /// `1` instead of `1.0`.
    var shortDescription: String {
        let text = description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
