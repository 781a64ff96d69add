extension Unicode.Scalar {
    /// Whether the scalar could move the cursor, end the line or reorder it: controls, line separators and the format
    /// characters that change the direction of writing.
    var isUnsafeInLine: Bool {
        if isASCII { return value < 0x20 || value == 0x7F }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: return true
        default: return false
        }
    }
}

extension StringProtocol {
    /// The text with every scalar that is unsafe in a line written as an escape of JSON (RFC 8259 §7).
    var escapingControls: String {
        if unicodeScalars.allSatisfy({ !$0.isUnsafeInLine }) { return String(self) }
        var result = ""
        for scalar in unicodeScalars {
            scalar.isUnsafeInLine ? result.appendJSONEscape(of: scalar) : result.unicodeScalars.append(scalar)
        }
        return result
    }
}

extension String {
    /// Appends a text in double quotes as JSON writes it, which YAML reads the same way.
    mutating func appendQuoted(_ text: some StringProtocol) {
        append("\"")
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" {
                append("\\")
                unicodeScalars.append(scalar)
            } else if scalar.isUnsafeInLine {
                appendJSONEscape(of: scalar)
            } else {
                unicodeScalars.append(scalar)
            }
        }
        append("\"")
    }

    /// Appends `\n`, `\t`, `\r` or `\u` with four hexadecimal digits for each UTF-16 unit.
    fileprivate mutating func appendJSONEscape(of scalar: Unicode.Scalar) {
        switch scalar {
        case "\n": append("\\n")
        case "\r": append("\\r")
        case "\t": append("\\t")
        default:
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            }
        }
    }
}
