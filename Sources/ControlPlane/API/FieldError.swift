/// What is wrong with one field of a request.
struct FieldError: Error, Sendable, Equatable {
    /// The field's path: `port`, `tags[2]`, `metadata.owner`, `register[0].name`; empty for the whole body.
    var field: String
    /// What is wrong with it.
    var message: String
}

/// All that is wrong with a request; never empty.
struct InvalidFields: Error, Sendable, Equatable {
    var errors: [FieldError]
}
