/// The parameters of `GET /api/v1/services`.
struct ListQuery: Sendable, Equatable {
    static let parameterNames = ["name", "tag", "status", "limit", "cursor"] + ChangeWait.parameterNames

    var filter = InstanceFilter()
    /// How many instances a page has at most; 1–1000.
    var limit = 100
    /// The place to begin after.
    var after: UInt64?
    var wait = ChangeWait()

    /// Reads the parameters of a request.
    init(_ target: RequestTarget) throws(InvalidFields) {
        try target.readParameters(Self.parameterNames) { read($0, $1, &$2) }
        try wait.check()
    }

    /// Whether it looks at only a few instances; not so with a tag or status, which may be rare.
    var isShort: Bool { limit <= 100 && filter.tag == nil && filter.status == nil }

    private mutating func read(_ name: String, _ value: String, _ errors: inout [FieldError]) {
        switch name {
        case "name": filter.name = value.lowercased()
        case "tag": filter.tag = value.lowercased()
        case "status":
            filter.status = InstanceStatus(rawValue: value)
            if filter.status == nil {
                let all = InstanceStatus.allCases.map(\.rawValue).joined(separator: ", ")
                errors.append(FieldError(field: name, message: "must be one of \(all)"))
            }
        case "limit":
            limit = PageParameters.limit(value, &errors) ?? limit
        case "index", "wait": wait.read(name, value, &errors)
        default:
            after = Self.place(cursor: value)
            if after == nil {
                errors.append(PageParameters.badCursor)
            }
        }
    }

    /// The cursor for the page after a place: 16 hexadecimal digits, which are opaque to clients.
    static func cursor(after place: UInt64) -> String {
        let digits = String(place, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    private static func place(cursor: String) -> UInt64? {
        guard cursor.utf8.count == 16,
            cursor.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return nil }
        return UInt64(cursor, radix: 16)
    }
}

/// The parameters of `GET /api/v1/names`.
struct NamesQuery: Sendable, Equatable {
    static let parameterNames = ["limit", "cursor"] + ChangeWait.parameterNames

    /// How many services a page has at most; 1–1000.
    var limit = 100
    /// The name to begin after.
    var after: String?
    var wait = ChangeWait()

    /// Reads the parameters of a request.
    init(_ target: RequestTarget) throws(InvalidFields) {
        try target.readParameters(Self.parameterNames) { read($0, $1, &$2) }
        try wait.check()
    }

    private mutating func read(_ name: String, _ value: String, _ errors: inout [FieldError]) {
        switch name {
        case "limit":
            limit = PageParameters.limit(value, &errors) ?? limit
        case "index", "wait": wait.read(name, value, &errors)
        default:
            // The last name of the previous page, which need not exist any more.
            after = InstanceFields.label(value)
            if after != value { errors.append(PageParameters.badCursor) }
        }
    }
}

/// The parameters of `GET /api/v1/sd/prometheus`.
struct TargetsQuery: Sendable, Equatable {
    static let parameterNames = ["name", "tag"]

    var filter = InstanceFilter()

    /// Reads the parameters of a request.
    init(_ target: RequestTarget) throws(InvalidFields) {
        try target.readParameters(Self.parameterNames) { name, value, _ in
            if name == "name" { filter.name = value.lowercased() } else { filter.tag = value.lowercased() }
        }
    }
}

/// The parameters that all lists with pages have.
enum PageParameters {
    /// The error for an invalid cursor.
    static let badCursor = FieldError(field: "cursor", message: "must be the 'next_cursor' of an earlier answer")

    /// The value of `limit`; `nil`, with an error, if it is not from 1 to 1000.
    static func limit(_ value: String, _ errors: inout [FieldError]) -> Int? {
        if value.utf8.allSatisfy({ (48...57).contains($0) }), let limit = Int(value), (1...1000).contains(limit) {
            return limit
        }
        errors.append(FieldError(field: "limit", message: "must be from 1 to 1000"))
        return nil
    }
}
