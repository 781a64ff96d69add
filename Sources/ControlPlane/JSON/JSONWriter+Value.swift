extension JSONWriter {
    /// A value that was read.
    mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let number): integer(number)
        // A number that is too large for the type was read as infinite.
        case .number(let number):
            json(Array((number.isFinite ? "\(number)" : number < 0 ? "-1e999" : "1e999").utf8))
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let members):
            beginObject()
            for entry in members {
                member(any: entry.name)
                self.value(entry.value)
            }
            endObject()
        }
    }
}

extension JSONValue {
    /// The value as JSON, on one line.
    var encoded: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.octets
    }
}
