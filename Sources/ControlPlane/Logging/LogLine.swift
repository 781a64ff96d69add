import Logging

/// A value in a log line that is JSON already, and stays so in both forms of a line.
struct JSONText: CustomStringConvertible, Sendable {
    let description: String

    init(_ text: String) { description = text }
}

/// Formats an event as one line, whatever the message and values contain: control characters are escaped.
enum LogLine {
    /// For people: `2026-01-31T23:59:59.007Z info     registered id=a name=orders`.
    static func text(time: String, level: Logger.Level, message: String, metadata: Logger.Metadata) -> String {
        var line = "\(time) \(level.rawValue)"
        // The longest level has 8 letters; padding aligns the messages.
        line += String(repeating: " ", count: max(0, 8 - level.rawValue.count) + 1)
        line += message.escapingControls
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " "
            line.appendWord(key)
            line += "="
            if case .stringConvertible(let text as JSONText) = value {
                line += text.description.escapingControls
            } else {
                line.appendWord(value.description)
            }
        }
        return line + "\n"
    }

    /// For programs: one JSON object with `time`, `level`, `message` and the metadata beside them.
    static func json(time: String, level: Logger.Level, message: String, metadata: Logger.Metadata) -> String {
        var line = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"message\":"
        line.appendQuoted(message)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += ","
            // The meaning of a repeated name in an object is up to the reader (RFC 8259 §4).
            line.appendQuoted(["time", "level", "message"].contains(key) ? "\(key)_" : key)
            line += ":"
            line.appendJSON(value)
        }
        return line + "}\n"
    }
}

extension String {
    /// Appends a text as it is if it is one word, in quotes otherwise.
    fileprivate mutating func appendWord(_ text: String) {
        let isWord =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy {
                !$0.properties.isWhitespace && $0 != "\"" && $0 != "=" && !$0.isUnsafeInLine
            }
        if isWord { append(text) } else { appendQuoted(text) }
    }

    /// Appends a value as JSON; whole numbers and Booleans keep their type.
    fileprivate mutating func appendJSON(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text):
            appendQuoted(text)
        case .stringConvertible(let text as JSONText):
            append(text.description.escapingControls)
        case .stringConvertible(let value):
            if value is any FixedWidthInteger || value is Bool { append("\(value)") } else { appendQuoted("\(value)") }
        case .array(let values):
            append("[")
            for (index, value) in values.enumerated() {
                if index > 0 { append(",") }
                appendJSON(value)
            }
            append("]")
        case .dictionary(let values):
            append("{")
            for (index, entry) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { append(",") }
                appendQuoted(entry.key)
                append(":")
                appendJSON(entry.value)
            }
            append("}")
        }
    }
}
