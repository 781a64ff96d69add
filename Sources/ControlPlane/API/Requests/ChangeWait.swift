/// The parameters by which a list waits until there is something new in it.
struct ChangeWait: Sendable, Equatable {
    static let parameterNames = ["index", "wait"]
    /// The longest wait.
    static let maximumTime = Duration.seconds(600)
    /// What the text of a time must match.
    static let pattern = DurationPattern.text(.zero...maximumTime)

    /// What the client has seen already; `nil`: it does not wait.
    var index: UInt64?
    /// How long it waits.
    var time = Duration.seconds(300)
    private var hasTime = false

    /// Takes in one of the parameters.
    mutating func read(_ name: String, _ value: String, _ errors: inout [FieldError]) {
        if name == "index" {
            let isNumber = value.utf8.allSatisfy { (48...57).contains($0) }
            index = isNumber ? UInt64(value) : nil
            if index == nil {
                errors.append(FieldError(field: name, message: "must be the X-Registry-Index of an earlier answer"))
            }
            return
        }
        hasTime = true
        guard let time = Duration(configurationText: value), time <= Self.maximumTime else {
            let maximum = Self.maximumTime.configurationText
            errors.append(FieldError(field: name, message: "must be a duration from 0s to \(maximum), such as 30s"))
            return
        }
        self.time = time
    }

    /// Checks them together.
    func check() throws(InvalidFields) {
        if hasTime, index == nil {
            throw InvalidFields(errors: [FieldError(field: "wait", message: "needs an 'index'")])
        }
    }
}
