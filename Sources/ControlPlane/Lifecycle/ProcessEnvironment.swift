/// What the process was started with.
public struct ProcessEnvironment: Sendable {
    /// The environment's variables.
    public var variables: [String: String]
    /// The process's own number, which variables for it name.
    public var processID: Int32

    /// - Parameters:
    ///   - variables: the environment's variables.
    ///   - processID: the process's own number.
    public init(variables: [String: String], processID: Int32) {
        self.variables = variables
        self.processID = processID
    }
}
