/// What is wrong with one field of a request.
struct FieldError: Error, Sendable, Equatable {
    /// The characters of a field's path that are shown: a client may have made up a long one.
    private static let shownCharacters = 128

    /// The field's path: `port`, `tags[2]`, `metadata.owner`, `register[0].name`; empty for the whole body.
    let field: String
    /// What is wrong with it.
    let message: String

    init(field: String, message: String) {
        let isLong = field.utf8.count > Self.shownCharacters
        self.field =
            isLong ? String(String.UnicodeScalarView(field.unicodeScalars.prefix(Self.shownCharacters))) + "…" : field
        self.message = message
    }
}

/// All that is wrong with a request, or the first of it; never empty.
struct InvalidFields: Error, Sendable, Equatable, CustomStringConvertible {
    var errors: [FieldError]

    /// In one line, for a log.
    var description: String { errors.map { "\($0.field) \($0.message)" }.joined(separator: ", ") }
}

extension [FieldError] {
    /// Errors of one body, or one item of a batch, that are told: whoever sends thousands needs no list of them.
    static var maximumCount: Int { 20 }

    /// Adds an error, unless there are many already.
    mutating func note(_ error: FieldError) {
        if count < Self.maximumCount { append(error) }
    }
}
