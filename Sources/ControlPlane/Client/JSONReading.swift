/// A value in an answer, or nothing: whatever is looked for in it may be missing.
struct JSONReading: Sendable {
    let value: JSONValue?

    init(_ value: JSONValue?) {
        self.value = value
    }

    /// A member of an object.
    subscript(_ name: String) -> JSONReading {
        JSONReading(members.first { $0.name == name }?.value)
    }

    /// The elements of an array; empty for anything else.
    var elements: [JSONReading] {
        if case .array(let elements) = value { elements.map { JSONReading($0) } } else { [] }
    }

    /// The members of an object; empty for anything else.
    var members: [JSONMember] { if case .object(let members) = value { members } else { [] } }

    /// A string.
    var text: String? { if case .string(let text) = value { text } else { nil } }

    /// A whole number.
    var number: Int? { if case .integer(let number) = value { number } else { nil } }

    /// A number, whole or not.
    var decimal: Double? {
        switch value {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    /// Whether it is `true`.
    var isTrue: Bool { value == .bool(true) }

    /// Whether it is missing, or `null`.
    var isMissing: Bool { value?.isNull ?? true }

    /// A text for people, without anything that could move the cursor; `-` if there is none.
    var shown: String {
        switch value {
        case .string(let text): text.escapingControls
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .bool(let value): "\(value)"
        default: "-"
        }
    }
}
