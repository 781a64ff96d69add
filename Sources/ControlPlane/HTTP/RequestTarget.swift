/// A request's target, split into its parts (RFC 9112 §3.2).
struct RequestTarget: Sendable, Equatable {
    /// The path's segments, percent-decoded; `nil` if it is no path or its percent-encoding is invalid.
    let segments: [String]?
    /// The text after the question mark.
    let query: Substring
    /// The host and port of a whole URI; `nil` for a path.
    let authority: Substring?

    /// Splits origin-form (`/a/b?c=d`) or absolute-form (`http://host/a/b?c=d`).
    init(_ target: String) {
        var rest = target[...]
        if !rest.hasPrefix("/"), let scheme = rest.firstRange(of: "://") {
            let behind = rest[scheme.upperBound...]
            rest = behind.drop { $0 != "/" && $0 != "?" }
            authority = behind[..<rest.startIndex]
        } else {
            authority = nil
        }
        let end = rest.utf8.firstIndex(of: UInt8(ascii: "?")) ?? rest.endIndex
        let path = rest[..<end]
        query = end == rest.endIndex ? "" : rest[rest.utf8.index(after: end)...]
        guard path.utf8.first == UInt8(ascii: "/") else {
            segments = nil
            return
        }
        var segments: [String] = []
        for segment in path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let decoded = Self.percentDecoded(Substring(segment)) else {
                self.segments = nil
                return
            }
            segments.append(decoded)
        }
        self.segments = segments
    }

    /// The query's parameters in their order, percent-decoded.
    ///
    /// - Returns: `nil` if its percent-encoding is invalid.
    var parameters: [(name: String, value: String)]? {
        var parameters: [(name: String, value: String)] = []
        for part in query.utf8.split(separator: UInt8(ascii: "&")) {
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard let name = Self.percentDecoded(Substring(part[..<equals])),
                let value = Self.percentDecoded(Substring(part[equals...].dropFirst()))
            else { return nil }
            parameters.append((name, value))
        }
        return parameters
    }

    /// RFC 3986 §2.1; `nil` if a `%` lacks its two hexadecimal digits, or the result is not UTF-8.
    static func percentDecoded(_ text: Substring) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var octets: [UInt8] = []
        var bytes = text.utf8[...]
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                octets.append(byte)
                continue
            }
            guard let high = bytes.popFirst().flatMap(hexadecimalDigit),
                let low = bytes.popFirst().flatMap(hexadecimalDigit)
            else { return nil }
            octets.append(high << 4 | low)
        }
        return String(validating: octets, as: UTF8.self)
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.flatMap { UInt8(exactly: $0) }
    }
}

extension RequestTarget {
    /// Reads all parameters of the query; each may be given once.
    ///
    /// - Parameters:
    ///   - names: the known parameters.
    ///   - read: takes a parameter's name and value, and adds what is wrong with it.
    /// - Throws: everything that is wrong.
    func readParameters(
        _ names: [String], _ read: (_ name: String, _ value: String, _ errors: inout [FieldError]) -> Void
    ) throws(InvalidFields) {
        guard let parameters else {
            throw InvalidFields(errors: [FieldError(field: "?", message: "the query is not percent-encoded properly")])
        }
        var errors: [FieldError] = []
        var seen: Set<String> = []
        for (name, value) in parameters {
            if !seen.insert(name).inserted {
                errors.note(FieldError(field: name, message: "is given twice"))
            } else if !names.contains(name) {
                errors.note(FieldError(field: name.isEmpty ? "?" : name, message: "unknown parameter"))
            } else if value.isEmpty {
                // An unset variable in a script must not mean "all".
                errors.note(FieldError(field: name, message: "must not be empty"))
            } else {
                read(name, value, &errors)
            }
        }
        if !errors.isEmpty { throw InvalidFields(errors: errors) }
    }
}
