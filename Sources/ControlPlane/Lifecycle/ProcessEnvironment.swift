/// What the process was started with.
public struct ProcessEnvironment: Sendable {
    /// The environment's variables.
    public var variables: [String: String]
    /// The process's id, which some variables name.
    public var processID: Int32

    /// - Parameters:
    ///   - variables: the environment's variables.
    ///   - processID: the process's id.
    public init(variables: [String: String], processID: Int32) {
        self.variables = variables
        self.processID = processID
    }
}
