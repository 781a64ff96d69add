/// `kong-discovery services export`: writes instances in a form that other programs read.
public struct ExportCommand: Sendable {
    /// What is written.
    public enum Format: String, CaseIterable, Sendable {
        /// What `import` reads.
        case json
        case csv
        /// Lines of /etc/hosts.
        case hosts
        /// Upstreams and targets for Kong, as decK reads them.
        case deck
    }

    private let access: ServerAccess
    private let format: Format
    private let filter: APIClient.Query
    private let name: String?
    private let domain: String

    /// - Parameters:
    ///   - access: how the server is reached.
    ///   - name: of a service; `nil`: all.
    ///   - tag: that instances have; `nil`: any.
    ///   - domain: to which services' names belong, in hosts and decK files.
    public init(_ access: ServerAccess, _ format: Format, name: String?, tag: String?, domain: String) {
        self.access = access
        self.format = format
        self.name = name
        self.domain = domain.lowercased()
        filter = [("tag", tag)].compactMap { key, value in value.map { (key, $0) } }
    }

    /// Whether a text is a domain name.
    public static func isDomain(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return text.utf8.count <= 253 && labels.allSatisfy { InstanceFields.label(String($0)) != nil }
    }

    /// Writes to a file, which is there when it is complete, or to standard output.
    public func run(output path: String?) async throws {
        guard let path, path != "-" else { return try await write { try StandardOutput.write($0) } }
        let file = try OutputFile(path: path)
        try await write { try file.write($0) }
        try file.commit()
    }

    private func write(_ write: ([UInt8]) throws -> Void) async throws {
        let api = try APIClient(access)
        let all = PagedList.services(api, (name.map { [("name", $0)] } ?? []) + filter)
        switch format {
        case .json: try await all.writeJSON(write) { ExportedInstance($0).json }
        case .csv:
            try write(Array((CSVInstances.fields.joined(separator: ",") + "\r\n").utf8))
            try await all.read { instances in
                let rows = instances.map { CSVInstances.row(JSONReading(ExportedInstance($0).json)) + "\r\n" }
                try write(Array(rows.joined().utf8))
                return true
            }
        case .hosts:
            try await forEachService(api) { name, instances in
                try write(Array(HostsFile.lines(name, instances, domain: domain).map { $0 + "\n" }.joined().utf8))
            }
        case .deck:
            try write(Array(DeckFile.head.utf8))
            var isFirst = true
            try await forEachService(api) { name, instances in
                try write(Array(DeckFile.upstream(name, instances, domain: domain, isFirst: isFirst).utf8))
                isFirst = false
            }
            if isFirst { try write(Array(DeckFile.nothing.utf8)) }
        }
    }

    /// Reads one service after the other, in the order of their names: these must fit into memory one at a time.
    private func forEachService(
        _ api: APIClient, _ body: (_ name: String, _ instances: [JSONReading]) throws -> Void
    ) async throws {
        var names = [name].compactMap(\.self)
        if name == nil {
            try await PagedList.names(api).read { page in
                names += page.compactMap { $0["name"].text }
                return true
            }
        }
        for name in names {
            var instances: [JSONReading] = []
            try await PagedList.services(api, [("name", name)] + filter).read { page in
                instances += page
                return true
            }
            if !instances.isEmpty { try body(name.lowercased(), instances) }
        }
    }
}
