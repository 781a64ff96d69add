/// What is wrong with one field of a request.
struct FieldError: Error, Sendable, Equatable {
    /// How many characters of a field's path are shown: a client may have made up a long one.
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

/// The errors of a request, or the first of them; never empty.
struct InvalidFields: Error, Sendable, Equatable, CustomStringConvertible {
    var errors: [FieldError]

    /// All errors in one line, for a log.
    var description: String { errors.map { "\($0.field) \($0.message)" }.joined(separator: ", ") }
}

extension [FieldError] {
    /// The most errors reported for one body, or for one item of a batch: a client with thousands needs no list of
    /// them.
    static var maximumCount: Int { 20 }

    /// Adds an error, unless there are ``maximumCount`` already.
    mutating func note(_ error: FieldError) {
        if count < Self.maximumCount { append(error) }
    }
}
