import Engine

/// The parameters of `GET /api/v1/explain`.
struct ExplainQuery: Sendable, Equatable {
    static let parameterNames = ["name", "type"]

    /// The mnemonics of all types that have one, with commas between them.
    static var typeNames: String {
        // Types from 300 on are few: TA and DLV have these numbers.
        (Array(1...300) + [32_768, 32_769]).map { PresentationForm.type(UInt16($0)) }
            .filter { !$0.hasPrefix("TYPE") }.map { "'\($0)'" }.joined(separator: ", ")
    }

    /// In wire form and lower case.
    var name: [UInt8] = []
    /// The type's number; `nil`: the usual ones.
    var type: UInt16?

    /// Reads the parameters of a request.
    init(_ target: RequestTarget) throws(InvalidFields) {
        var isNamed = false
        try target.readParameters(Self.parameterNames) { field, value, errors in
            if field == "name" {
                isNamed = true
                guard let wire = PresentationForm.wireName(value) else {
                    return errors.append(FieldError(field: field, message: "is not a domain name"))
                }
                name = wire
            } else {
                type = PresentationForm.type(value)
                if type == nil {
                    errors.append(FieldError(field: field, message: "is not a record type, such as A, SRV or TYPE64"))
                }
            }
        }
        guard isNamed else { throw InvalidFields(errors: [FieldError(field: "name", message: "is required")]) }
    }
}
