/// The parameters of `POST /api/v1/restore`.
struct RestoreQuery {
    static let parameterNames = ["merge"]

    /// Whether what is registered stays, unless the backup has it too.
    private(set) var merges = false

    init(_ target: RequestTarget) throws(InvalidFields) {
        var merges = false
        try target.readParameters(Self.parameterNames) { name, value, errors in
            switch value {
            case "true": merges = true
            case "false": merges = false
            default: errors.note(FieldError(field: name, message: "must be 'true' or 'false'"))
            }
        }
        self.merges = merges
    }
}
