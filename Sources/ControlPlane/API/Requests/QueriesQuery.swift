/// The parameters of `GET /api/v1/queries`.
struct QueriesQuery: Sendable, Equatable {
    static let parameterNames = ["limit"]

    /// How many names, and failures of each code, are shown at most; 1–1000.
    var limit = 100

    /// Reads the parameters of a request.
    init(_ target: RequestTarget) throws(InvalidFields) {
        try target.readParameters(Self.parameterNames) { _, value, errors in
            limit = PageParameters.limit(value, &errors) ?? limit
        }
    }
}
