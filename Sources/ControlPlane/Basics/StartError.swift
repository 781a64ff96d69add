/// Why the server could not start, in one line for the person who started it.
public struct StartError: Error, Sendable, CustomStringConvertible {
    /// The line.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
