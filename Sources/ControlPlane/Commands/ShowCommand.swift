/// `kong-discovery services show`: prints instances with all that is known of them.
public struct ShowCommand: Sendable {
    private let access: ServerAccess

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess) {
        self.access = access
    }

    /// Prints instances.
    ///
    /// - Parameters:
    ///   - ids: an unknown one is named on standard error, and the others are shown nevertheless.
    ///   - isJSON: each as the server has sent it, on a line of its own; else as text for people.
    public func run(ids: [String], isJSON: Bool) async throws {
        let api = try APIClient(access)
        let style = Terminal.output.style
        var isFirst = true
        try await ChangeCommands.forEach(ids) { id in
            let (instance, answer) = try await api.get(APIClient.path("services", id))
            if isJSON {
                try StandardOutput.write(answer.body)
            } else {
                let lines = InstanceText.details(instance, style)
                try StandardOutput.write((isFirst ? "" : "\n") + lines.joined(separator: "\n") + "\n")
            }
            isFirst = false
        }
    }
}
