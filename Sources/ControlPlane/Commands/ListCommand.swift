/// Prints a list of the API: `kong-discovery services list` and `kong-discovery names`.
public struct ListCommand: Sendable {
    /// What is listed.
    public enum Subject: Sendable {
        /// Instances, of a service, with a tag or a status; `nil`: of any.
        case services(name: String?, tag: String?, status: String?)
        /// Services, with how many instances they have.
        case names
    }

    private let access: ServerAccess
    private let subject: Subject

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess, _ subject: Subject) {
        self.access = access
        self.subject = subject
    }

    private var form: ListForm {
        switch subject {
        case .services: .instances
        case .names: .names
        }
    }

    private func list(_ api: APIClient) -> PagedList {
        switch subject {
        case .names: .names(api)
        case .services(let name, let tag, let status):
            .services(
                api,
                [("name", name), ("tag", tag), ("status", status)].compactMap { key, value in value.map { (key, $0) } })
        }
    }

    /// Prints the list, page by page: it may be longer than what fits into memory.
    ///
    /// - Parameters:
    ///   - limit: the most elements; `nil`: all.
    ///   - isJSON: an object with all elements, one a line; else a table.
    public func run(limit: Int?, isJSON: Bool) async throws {
        let list = list(try APIClient(access))
        if isJSON { return try await list.writeJSON(limit: limit) { try StandardOutput.write($0) } }
        let form = form
        var table = Table(form.columns, for: Terminal.output)
        var isFirst = true
        try await list.read(limit: limit) { elements in
            let lines = table.lines(elements.map(form.row), hasTitles: isFirst)
            isFirst = false
            try StandardOutput.write(lines.joined(separator: "\n") + "\n")
            return true
        }
        if isFirst { CommandRun.note(form.nothing) }
    }

    // MARK: Watching

    /// How long a server is asked to wait for news.
    private static let patience = Duration.seconds(50)
    /// The shortest time from one view to the next.
    private static let rest = Duration.milliseconds(200)
    /// How long to wait after a failure.
    private static let retryPause = Duration.seconds(1)
    /// The most elements where there is no terminal.
    private static let maximumElements = 1000

    /// Prints the list, and again whenever something in it has changed, until the task is cancelled. On a terminal the
    /// new one takes the place of the old, as far as there are lines.
    public func watch(limit: Int?, isJSON: Bool) async throws {
        try await Interruption.end {
            let api = try APIClient(access)
            var last: [UInt8]?
            var index: UInt64?
            while !Task.isCancelled {
                do {
                    let view = try await view(api, limit, isJSON, newerThan: index)
                    // A server that was started again may have an index of before, or none.
                    index = view.index
                    if view.octets != last { try StandardOutput.write(view.octets) }
                    last = view.octets
                    await Pause.wait(index == nil ? Self.retryPause : Self.rest)
                } catch let failure as CommandFailure {
                    if Task.isCancelled { return }
                    // The first view must come, and what the server refuses once it refuses again.
                    if last == nil || failure.isFinal { throw failure }
                    CommandRun.note("\(failure): trying again")
                    index = nil
                    await Pause.wait(Self.retryPause)
                }
            }
        }
    }

    private func view(
        _ api: APIClient, _ limit: Int?, _ isJSON: Bool, newerThan index: UInt64?
    ) async throws -> (octets: [UInt8], index: UInt64?) {
        let terminal = Terminal.output
        let isScreen = terminal.columns != nil && !isJSON
        let room = isScreen ? max(1, terminal.rows - 3) : Self.maximumElements
        var elements: [JSONReading] = []
        let most = min(limit ?? .max, room)
        let next = try await list(api).read(
            limit: most < limit ?? .max ? most + 1 : most, newerThan: index.map { ($0, Self.patience) }
        ) { page in
            elements += page
            return true
        }
        if isJSON {
            var writer = JSONWriter()
            writer.beginObject()
            writer.member(list(api).member)
            writer.beginArray()
            for element in elements.prefix(most) { writer.value(element.value ?? .null) }
            writer.endArray()
            writer.endObject()
            return (writer.octets + [0x0A], next)
        }
        var table = Table(form.columns, for: terminal)
        var lines = table.lines(elements.prefix(most).map(form.row), hasTitles: true)
        if elements.isEmpty { lines = [form.nothing] }
        if elements.count > most { lines.append("… and more") }
        guard isScreen else { return (Array((lines.joined(separator: "\n") + "\n\n").utf8), next) }
        // Home; each line clears what is left of the old one, and the last one all below.
        let screen = "\u{1B}[H" + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
        return (Array(((index == nil ? "\u{1B}[2J" : "") + screen).utf8), next)
    }
}

extension CommandFailure {
    /// Whether the same request would fail again.
    var isFinal: Bool { isUsage || status.map { (400...499).contains($0) && $0 != 429 } ?? false }
}
