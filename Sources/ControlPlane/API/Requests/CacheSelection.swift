/// The parameters of `DELETE /api/v1/cache`.
struct CacheSelection: Sendable, Equatable {
    static let parameterNames = ["name", "subtree"]

    /// The name; `nil`: all names.
    var name: String?
    /// Whether names below it are included.
    var subtree = false

    /// Reads the parameters of a request.
    init(_ target: RequestTarget) throws(InvalidFields) {
        try target.readParameters(Self.parameterNames) { name, value, errors in
            switch (name, value) {
            case ("name", _): self.name = value
            case ("subtree", "true"): subtree = true
            case ("subtree", "false"): subtree = false
            default: errors.append(FieldError(field: name, message: "must be true or false"))
            }
        }
        if subtree, name == nil {
            throw InvalidFields(errors: [FieldError(field: "name", message: "is required with subtree=true")])
        }
    }
}
