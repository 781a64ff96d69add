extension CheckReport {
    /// Reads the body of `PUT /api/v1/services/{id}/checks/{name}`.
    ///
    /// - Parameters:
    ///   - check: the check's name.
    ///   - time: when it arrived.
    init(_ value: JSONValue, check: String, time: WallTime) throws(InvalidFields) {
        guard case .object(let members) = value else {
            throw InvalidFields(errors: [FieldError(field: "", message: "must be an object, not \(value.kind)")])
        }
        var errors: [FieldError] = []
        var status: CheckStatus?
        var output = ""
        for member in members {
            switch (member.name, member.value) {
            case ("status", .string(let text)):
                status = CheckStatus(rawValue: text)
                if status == nil {
                    errors.note(FieldError(field: "status", message: "must be passing, warning or critical"))
                }
            case ("output", .string(let text)): output = CheckRecord.printable(text)
            case ("output", .null): continue
            case ("status", let value), ("output", let value):
                errors.note(FieldError(field: member.name, message: "must be a string, not \(value.kind)"))
            default: errors.note(FieldError(field: member.name, message: "unknown field"))
            }
        }
        if !members.contains(where: { $0.name == "status" }) {
            errors.note(FieldError(field: "status", message: "is required"))
        }
        guard errors.isEmpty, let status else { throw InvalidFields(errors: errors) }
        self.init(name: check, status: status, output: output, time: time, origin: .client)
    }
}
