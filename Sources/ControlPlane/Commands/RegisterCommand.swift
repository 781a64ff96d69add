/// `kong-discovery services register`: registers an instance.
public struct RegisterCommand: Sendable {
    /// The fields of an instance as they were given on the command line; `nil`, or empty: not given.
    public struct Fields: Sendable {
        public var id: String?
        public var name: String?
        public var ip: String?
        public var port: Int?
        public var transport: String?
        public var tags: [String] = []
        /// Each `key=value`.
        public var metadata: [String] = []
        public var weight: Int?
        public var priority: Int?
        /// In seconds.
        public var ttl: Int?
        /// In seconds.
        public var dnsTTL: Int?
        /// Each a JSON object, or the path of a file that has one.
        public var checks: [String] = []

        /// Nothing is given.
        public init() {}
    }

    /// The most octets of a file with an instance or a check: as many as the server takes.
    private static let maximumFileOctets = 1 << 20

    private let access: ServerAccess

    /// - Parameter access: how the server is reached.
    public init(_ access: ServerAccess) {
        self.access = access
    }

    /// Registers an instance and prints its id.
    ///
    /// - Parameters:
    ///   - fields: those that are given take the place of the file's.
    ///   - file: the path of a file that has an instance, a JSON object; `nil`: none.
    ///   - isJSON: prints the instance as the server has it, not the id alone.
    public func run(_ fields: Fields, file: String?, isJSON: Bool) async throws {
        let body = try Self.body(fields, file: file)
        let api = try APIClient(access)
        let answer = try await api.send(.post, "/api/v1/services", body: .json(body.encoded))
        let instance = try api.json(answer)
        try StandardOutput.write(isJSON ? answer.text : instance["id"].shown + "\n")
    }

    /// The body of the request.
    static func body(_ fields: Fields, file: String?) throws(CommandFailure) -> JSONValue {
        var members: [JSONMember] = []
        if let file { members = try object("--file \(file)", try read(file, "--file")) }
        func set(_ name: String, _ value: JSONValue?) {
            guard let value else { return }
            members.removeAll { $0.name == name }
            members.append(JSONMember(name: name, value: value))
        }
        for (name, text) in [
            ("id", fields.id), ("name", fields.name), ("ip", fields.ip), ("protocol", fields.transport),
        ] { set(name, text.map { .string($0) }) }
        for (name, number) in [
            ("port", fields.port), ("weight", fields.weight), ("priority", fields.priority), ("ttl", fields.ttl),
            ("dns_ttl", fields.dnsTTL),
        ] { set(name, number.map { .integer($0) }) }
        if !fields.tags.isEmpty { set("tags", .array(fields.tags.map { .string($0) })) }
        if !fields.metadata.isEmpty { set("metadata", .object(try fields.metadata.map(entry))) }
        if !fields.checks.isEmpty { set("checks", .array(try fields.checks.map(check))) }
        return .object(members)
    }

    private static func entry(_ text: String) throws(CommandFailure) -> JSONMember {
        guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
            throw .usage("--metadata \(text): must be KEY=VALUE")
        }
        return JSONMember(name: String(text[..<equals]), value: .string(String(text[text.index(after: equals)...])))
    }

    private static func check(_ text: String) throws(CommandFailure) -> JSONValue {
        if text.first == "{" { return .object(try object("--check", Array(text.utf8))) }
        return .object(try object("--check \(text)", try read(text, "--check")))
    }

    private static func read(_ path: String, _ option: String) throws(CommandFailure) -> [UInt8] {
        do throws(RegularFile.Failure) {
            return try RegularFile(path: path, limit: maximumFileOctets).octets
        } catch {
            throw CommandFailure("\(option) \(path): \(error.reason)")
        }
    }

    private static func object(_ source: String, _ octets: [UInt8]) throws(CommandFailure) -> [JSONMember] {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONParser.parse(octets)
        } catch {
            throw .usage("\(source): \(error)")
        }
        guard case .object(let members) = value else { throw .usage("\(source): must be a JSON object") }
        return members
    }
}
