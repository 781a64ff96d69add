import Engine

/// The rules of a service instance's fields, each a function from JSON to what is stored.
///
/// They add errors to `errors` and return `nil`, so that one answer names all invalid fields of a request.
enum InstanceFields {
    /// The fields of an instance that the server sets; a client may send them, and they are ignored.
    static let readOnly: Set<String> = ["status", "registered_at", "last_heartbeat", "expires_at"]
    /// Names with another meaning in DNS, which no service may have.
    private static let reservedNames: Set<String> = ["addr", "ns"]
    private static let maximumTags = 64
    private static let maximumMetadataKeys = 64
    private static let maximumMetadataOctets = 16 * 1024

    /// `id`: 1–128 of `A-Za-z0-9._-`, but not `.` or `..`, which have another meaning in a URL.
    static func id(_ value: JSONValue, _ errors: inout [FieldError]) -> String? {
        guard let text = string(value, "id", &errors) else { return nil }
        guard text != ".", text != ".." else { return fail("id", "must not be '.' or '..'", &errors) }
        guard isID(text) else {
            return fail("id", "must be 1 to 128 of the characters A-Z, a-z, 0-9, '.', '_' and '-'", &errors)
        }
        return text
    }

    /// Whether `text` can be the id of an instance.
    static func isID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy { byte in
                isAlphanumeric(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
                    || byte == UInt8(ascii: "-")
            }
    }

    /// `name`: a DNS label.
    static func name(_ value: JSONValue, _ errors: inout [FieldError]) -> String? {
        guard let name = label(value, "name", &errors) else { return nil }
        guard !reservedNames.contains(name) else { return fail("name", "'\(name)' is reserved", &errors) }
        return name
    }

    /// `ip`: an address that an instance can be reached at.
    static func address(_ value: JSONValue, _ rule: AddressRule, _ errors: inout [FieldError]) -> IPAddress? {
        guard let text = string(value, "ip", &errors) else { return nil }
        guard let address = IPAddress(text) else {
            return fail("ip", "must be an IPv4 or IPv6 address without a zone id", &errors)
        }
        if let problem = rule.problem(with: address) { return fail("ip", problem, &errors) }
        return address
    }

    /// `protocol`.
    static func transport(_ value: JSONValue, _ errors: inout [FieldError]) -> TransportProtocol? {
        guard let text = string(value, "protocol", &errors) else { return nil }
        return TransportProtocol(rawValue: text) ?? fail("protocol", "must be 'tcp' or 'udp'", &errors)
    }

    /// `tags`: DNS labels; a repeated one counts once.
    static func tags(_ value: JSONValue, _ errors: inout [FieldError]) -> [String]? {
        guard case .array(let elements) = value else {
            return fail("tags", "must be an array of strings, not \(value.kind)", &errors)
        }
        guard elements.count <= maximumTags else {
            return fail("tags", "must not have more than \(maximumTags) elements", &errors)
        }
        var tags: [String] = []
        tags.reserveCapacity(elements.count)
        let before = errors.count
        for (index, element) in elements.enumerated() {
            // The path is made only for an error.
            guard let tag = label(element, "tags[\(index)]", &errors), !tags.contains(tag) else { continue }
            tags.append(tag)
        }
        return errors.count == before ? tags : nil
    }

    /// `metadata`: strings by name.
    static func metadata(_ value: JSONValue, _ errors: inout [FieldError]) -> [MetadataEntry]? {
        guard case .object(let members) = value else {
            return fail("metadata", "must be an object of strings, not \(value.kind)", &errors)
        }
        guard members.count <= maximumMetadataKeys else {
            return fail("metadata", "must not have more than \(maximumMetadataKeys) keys", &errors)
        }
        var entries: [MetadataEntry] = []
        entries.reserveCapacity(members.count)
        var octets = 0
        let before = errors.count
        for member in members {
            guard case .string(let text) = member.value else {
                errors.note(
                    FieldError(field: "metadata.\(member.name)", message: "must be a string, not \(member.value.kind)")
                )
                continue
            }
            octets += member.name.utf8.count + text.utf8.count
            entries.append(MetadataEntry(key: member.name, value: text))
        }
        guard octets <= maximumMetadataOctets else {
            return fail("metadata", "must not have more than \(maximumMetadataOctets) octets in all", &errors)
        }
        return errors.count == before ? entries : nil
    }

    /// `draining`.
    static func draining(_ value: JSONValue, _ errors: inout [FieldError]) -> Bool? {
        guard case .bool(let isDraining) = value else {
            return fail("draining", "must be true or false, not \(value.kind)", &errors)
        }
        return isDraining
    }

    /// A number without a fraction within a range.
    static func integer<Number: BinaryInteger>(
        _ value: JSONValue,
        _ field: String,
        _ range: ClosedRange<Number>,
        _ errors: inout [FieldError]
    ) -> Number? {
        switch value {
        case .integer(let number):
            guard let number = Number(exactly: number), range.contains(number) else {
                return fail(field, "must be from \(range.lowerBound) to \(range.upperBound)", &errors)
            }
            return number
        case .number:
            return fail(field, "must be an integer from \(range.lowerBound) to \(range.upperBound)", &errors)
        default:
            return fail(field, "must be an integer, not \(value.kind)", &errors)
        }
    }

    /// A DNS label as in RFC 1123 §2.1, in lower case.
    private static func label(
        _ value: JSONValue,
        _ field: @autoclosure () -> String,
        _ errors: inout [FieldError]
    ) -> String? {
        guard let text = string(value, field(), &errors) else { return nil }
        if let label = label(text) { return label }
        return fail(
            field(),
            "must be a DNS label: 1 to 63 letters, digits and hyphens, with no hyphen at either end",
            &errors
        )
    }

    /// `text` in lower case, if it is a DNS label.
    static func label(_ text: String) -> String? {
        let bytes = text.utf8
        guard (1...63).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-"),
            bytes.allSatisfy({ isAlphanumeric($0) || $0 == UInt8(ascii: "-") })
        else { return nil }
        let isLowerCase = bytes.allSatisfy { !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        return isLowerCase ? text : text.lowercased()
    }

    private static func string(
        _ value: JSONValue,
        _ field: @autoclosure () -> String,
        _ errors: inout [FieldError]
    ) -> String? {
        if case .string(let text) = value { return text }
        return fail(field(), "must be a string, not \(value.kind)", &errors)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            false
        }
    }

    private static func fail<Value>(_ field: String, _ message: String, _ errors: inout [FieldError]) -> Value? {
        errors.note(FieldError(field: field, message: message))
        return nil
    }
}
