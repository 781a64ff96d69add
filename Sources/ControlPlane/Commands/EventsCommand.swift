import Synchronization

/// `kong-discovery events`: prints changes as they happen.
public struct EventsCommand: Sendable {
    /// The server sends something every 15 s.
    private static let silence = Duration.seconds(45)
    private static let retryPause = Duration.seconds(1)

    private let access: ServerAccess

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess) {
        self.access = access
    }

    /// Prints events until the task is cancelled, one a line. When the connection breaks it comes back and goes on
    /// behind the last event.
    ///
    /// - Parameters:
    ///   - name: of a service; `nil`: of any.
    ///   - tag: that instances have; `nil`: any.
    ///   - hasSnapshot: prints all instances first.
    ///   - isJSON: each event as a JSON object, else as text for people.
    public func run(name: String?, tag: String?, hasSnapshot: Bool, isJSON: Bool) async throws {
        let filter = [("name", name), ("tag", tag), ("snapshot", hasSnapshot ? "true" : nil)]
        let query: APIClient.Query = filter.compactMap { key, value in value.map { (key, $0) } }
        try await Interruption.end {
            let api = try APIClient(access)
            let printer = EventPrinter(isJSON: isJSON, terminal: Terminal.output)
            var isTold = false
            while !Task.isCancelled {
                var reason = "the server has ended the stream"
                do {
                    let id = printer.lastID
                    let fields: [HTTPClientRequest.Field] =
                        id.isEmpty ? [] : [HTTPClientRequest.Field(name: "Last-Event-ID", value: id)]
                    try await api.stream(
                        .get, "/api/v1/events", query, fields: fields, silence: Self.silence,
                        onBegin: { printer.begin() }, onOctets: { printer.take($0) })
                    if let failure = printer.failure { throw failure }
                } catch let failure as CommandFailure {
                    if Task.isCancelled { return }
                    if !printer.hasBegun || failure.isFinal || printer.failure != nil { throw failure }
                    reason = failure.description
                }
                // One line for each time that the server is away.
                if printer.takeNews() { isTold = false }
                if !isTold { CommandRun.note("\(reason): trying again") }
                isTold = true
                await Pause.wait(Self.retryPause)
            }
        }
    }
}

/// Prints the events of a stream, on the thread that receives it.
private final class EventPrinter: Sendable {
    private struct State {
        var events = ServerSentEvents()
        var table: Table
        var hasTitles = true
        var hasBegun = false
        var hasNews = false
        var failure: CommandFailure?
    }

    private let isJSON: Bool
    private let state: Mutex<State>

    init(isJSON: Bool, terminal: Terminal) {
        self.isJSON = isJSON
        state = Mutex(State(table: Table(EventRow.columns, for: terminal)))
    }

    var lastID: String { state.withLock { $0.events.lastID } }
    /// Whether the server has ever begun to answer.
    var hasBegun: Bool { state.withLock { $0.hasBegun } }
    /// Why no more can be printed.
    var failure: CommandFailure? { state.withLock { $0.failure } }

    /// The server begins to answer; behind the last event from now on.
    func begin() {
        state.withLock { state in
            (state.hasBegun, state.hasNews) = (true, true)
            // What the connection before has left is no whole event.
            state.events = ServerSentEvents(resumingAt: state.events.lastID)
        }
    }

    /// Whether the server has answered since the last call.
    func takeNews() -> Bool {
        state.withLock { state in
            defer { state.hasNews = false }
            return state.hasNews
        }
    }

    /// Prints what octets complete.
    ///
    /// - Returns: whether to go on.
    func take(_ octets: [UInt8]) -> Bool {
        state.withLock { state in
            guard let events = state.events.take(octets) else {
                state.failure = CommandFailure("an event has more than \(ServerSentEvents.maximumOctets) octets")
                return false
            }
            do throws(CommandFailure) {
                for event in events { try print(event, &state) }
                return true
            } catch {
                state.failure = error
                return false
            }
        }
    }

    private func print(_ event: ServerSentEvents.Event, _ state: inout State) throws(CommandFailure) {
        let data = JSONReading(try? JSONParser.parse(event.data))
        if isJSON {
            var writer = JSONWriter()
            writer.beginObject()
            writer.member("event")
            writer.string(event.name)
            writer.member("id")
            writer.string(event.id)
            for entry in data.members where entry.name != "event" && entry.name != "id" {
                writer.member(any: entry.name)
                writer.value(entry.value)
            }
            writer.endObject()
            return try StandardOutput.write(writer.octets + [0x0A])
        }
        let lines = state.table.lines([EventRow.cells(event.name, data)], hasTitles: state.hasTitles)
        state.hasTitles = false
        try StandardOutput.write(lines.joined(separator: "\n") + "\n")
    }
}
