/// Commands that change instances that are there: `kong-discovery services deregister`, `drain` and `undrain`.
public struct ChangeCommands: Sendable {
    /// Which instances are drained.
    public enum Selection: Sendable {
        case ids([String])
        /// All of a host.
        case address(String)
        /// All of a service, or those with a tag.
        case service(String, tag: String?)
    }

    private let access: ServerAccess

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess) {
        self.access = access
    }

    /// Takes instances out.
    public func deregister(ids: [String]) async throws {
        let api = try APIClient(access)
        try await Self.forEach(ids) { id in
            _ = try await api.send(.delete, APIClient.path("services", id))
        }
    }

    /// Takes instances out of DNS and keeps them in the registry, or puts them back; prints how many have changed.
    public func drain(_ selection: Selection, isDraining: Bool) async throws {
        let api = try APIClient(access)
        var changed = 0
        var body: [JSONMember] = []
        switch selection {
        case .ids(let ids):
            let patch = JSONValue.object([JSONMember(name: "draining", value: .bool(isDraining))]).encoded
            try await Self.forEach(ids) { id in
                _ = try await api.send(.patch, APIClient.path("services", id), body: .json(patch))
                changed += 1
            }
            return try StandardOutput.write(Self.report(changed, isDraining))
        case .address(let ip): body.append(JSONMember(name: "ip", value: .string(ip)))
        case .service(let name, let tag):
            body.append(JSONMember(name: "name", value: .string(name)))
            if let tag { body.append(JSONMember(name: "tag", value: .string(tag))) }
        }
        let answer = try await api.send(
            .post, "/api/v1/services/\(isDraining ? "drain" : "undrain")", body: .json(JSONValue.object(body).encoded))
        changed = try api.json(answer)["changed"].number ?? 0
        try StandardOutput.write(Self.report(changed, isDraining))
    }

    private static func report(_ count: Int, _ isDraining: Bool) -> String {
        "\(count) instance\(count == 1 ? "" : "s") \(isDraining ? "drained" : "put back")\n"
    }

    /// Does something for each id. One that is refused is named on standard error; the others are done nevertheless.
    ///
    /// - Throws: in the end, if any was refused; at once, if the server can't be reached or wants another token.
    static func forEach(_ ids: [String], _ body: (String) async throws -> Void) async throws {
        var isRefused = false
        for id in ids {
            do {
                try await body(id)
            } catch let failure as CommandFailure {
                guard let status = failure.status, status != 401 else { throw failure }
                CommandRun.note(failure.description)
                isRefused = true
            }
        }
        if isRefused { throw CommandRefusal() }
    }
}
