/// Why a command has not done what it should, in one line for standard error.
public struct CommandFailure: Error, Sendable, CustomStringConvertible {
    /// The line; it has no control characters.
    public let description: String
    /// Whether the arguments can't be right: then the program ends with 2, else with 1.
    public let isUsage: Bool
    /// The status of the server's answer; `nil`: there was none.
    let status: Int?

    /// A failure.
    init(_ description: String, isUsage: Bool = false, status: Int? = nil) {
        self.description = description.escapingControls
        self.isUsage = isUsage
        self.status = status
    }

    /// Arguments that can't be right.
    static func usage(_ description: String) -> CommandFailure { CommandFailure(description, isUsage: true) }

    /// The exit code of the program.
    public var exitCode: Int32 { isUsage ? 2 : 1 }
}
