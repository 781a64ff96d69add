/// `kong-discovery services heartbeat`: says that instances are alive.
public struct HeartbeatCommand: Sendable {
    /// The most ids in a request.
    private static let maximumIDs = 10_000
    /// The shortest time from one round to the next after a failure.
    private static let retryPause = Duration.seconds(1)

    private let access: ServerAccess

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess) {
        self.access = access
    }

    /// Sends one heartbeat for each instance.
    ///
    /// - Throws: also if the server does not know one of them, after the others were renewed.
    public func run(ids: [String]) async throws {
        try await send(ids, try APIClient(access))
    }

    /// Sends heartbeats again and again, until the task is cancelled. While the server can't be reached it says so and
    /// goes on: an instance stays alive for its whole ttl.
    ///
    /// - Throws: if the server does not know an instance, or refuses: somebody has to register again.
    public func run(ids: [String], every interval: Duration) async throws {
        try await Interruption.end {
            let api = try APIClient(access)
            var isFirst = true
            while !Task.isCancelled {
                do {
                    try await send(ids, api)
                    await Pause.wait(interval)
                } catch let failure as CommandFailure {
                    if Task.isCancelled { return }
                    if isFirst || failure.isFinal { throw failure }
                    CommandRun.note("\(failure): trying again")
                    await Pause.wait(min(interval, Self.retryPause))
                }
                isFirst = false
            }
        }
    }

    private func send(_ ids: [String], _ api: APIClient) async throws {
        var unknown: [String] = []
        for start in stride(from: 0, to: ids.count, by: Self.maximumIDs) {
            let part = ids[start..<min(ids.count, start + Self.maximumIDs)]
            let body = JSONValue.object([JSONMember(name: "ids", value: .array(part.map { .string($0) }))])
            let answer = try await api.send(.post, "/api/v1/heartbeats", body: .json(body.encoded))
            unknown += try api.json(answer)["unknown"].elements.compactMap(\.text)
        }
        if unknown.isEmpty { return }
        for id in unknown { CommandRun.note("\(id.escapingControls): the server does not know it: register it again") }
        throw CommandRefusal()
    }
}
