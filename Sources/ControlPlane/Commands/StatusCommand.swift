/// `kong-discovery status`: prints the state of a server.
public struct StatusCommand: Sendable {
    /// The time over which rates are taken.
    private static let period = Duration.milliseconds(500)

    private let access: ServerAccess

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess) {
        self.access = access
    }

    /// Prints the state.
    ///
    /// - Parameter isJSON: as the server has sent it; else at a glance, with the rates of half a second.
    public func run(isJSON: Bool) async throws {
        let api = try APIClient(access)
        let (first, answer) = try await api.get("/api/v1/status")
        if isJSON { return try StandardOutput.write(answer.body) }
        let start = ContinuousClock.now
        await Pause.wait(Self.period)
        let (second, _) = try await api.get("/api/v1/status")
        let text = StatusText(
            first, second, seconds: start.duration(to: .now) / .seconds(1), url: access.url,
            style: Terminal.output.style)
        try StandardOutput.write(text.lines.joined(separator: "\n") + "\n")
    }
}
