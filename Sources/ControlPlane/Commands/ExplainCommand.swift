/// `kong-discovery explain`: asks a server why a name is answered as it is.
public struct ExplainCommand: Sendable {
    private let access: ServerAccess

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess) {
        self.access = access
    }

    /// Prints the explanation of a name.
    ///
    /// - Parameters:
    ///   - type: a record type; `nil`: the usual ones.
    ///   - isJSON: as the server has sent it, else as text for people.
    public func run(name: String, type: String?, isJSON: Bool) async throws {
        var query: APIClient.Query = [("name", name)]
        if let type { query.append(("type", type)) }
        let (value, answer) = try await APIClient(access).get("/api/v1/explain", query)
        if isJSON { return try StandardOutput.write(answer.body) }
        try StandardOutput.write(ExplanationText(value, for: Terminal.output).text)
    }
}
