/// A JSON value (RFC 8259).
enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number without a fraction that fits an `Int`, however it was written: `1`, `1.0`, `1e0`.
    case integer(Int)
    /// Any other number; infinite if it is too large.
    case number(Double)
    case string(String)
    case array([JSONValue])
    /// No two members have the same name.
    case object([JSONMember])

    /// Whether it is `null`.
    var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The kind of value, for an error message.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// A member of a JSON object.
struct JSONMember: Sendable, Equatable {
    var name: String
    var value: JSONValue
}

/// Why a text is refused as JSON.
struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong.
    var problem: String
    /// Whether it is JSON nevertheless: RFC 8259 §4 leaves open what a repeated name means.
    var isJSON = false
    /// Counted from 1.
    var line: Int
    /// In octets, counted from 1.
    var column: Int

    /// The error in one line, for a log.
    var description: String { "line \(line), column \(column): \(problem)" }
}
