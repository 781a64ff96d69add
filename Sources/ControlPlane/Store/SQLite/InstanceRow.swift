import Engine
import GRDB

/// A row of the table `instance`.
struct InstanceRow {
    /// The columns, in the order in which they are read and written.
    private static let columns = """
        sequence, id, name, ip, port, protocol, tags, metadata, weight, priority, ttl, dns_ttl, draining, \
        registered_at_milliseconds
        """

    /// All rows, in the order of registration.
    static let selection = "SELECT \(columns) FROM instance ORDER BY sequence"
    /// Writes the row of an instance.
    static let replacement = "INSERT OR REPLACE INTO instance (\(columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    /// Deletes the row with a sequence number.
    static let deletion = "DELETE FROM instance WHERE sequence = ?"

    /// What the row says; `nil`: it is no instance.
    let instance: ServiceInstance?

    /// Reads a row of the ``selection``.
    init(_ row: Row) {
        instance = Self.instance(row)
    }

    /// Writes the row of an instance with a statement of the ``replacement``.
    static func put(_ instance: ServiceInstance, with statement: Statement) throws {
        // Unchecked: as many as the statement has.
        statement.setUncheckedArguments([
            Int64(instance.sequence), instance.id, instance.name, instance.address.description, Int64(instance.port),
            instance.transport.rawValue, StoredText.text(tags: instance.tags),
            StoredText.text(metadata: instance.metadata), Int64(instance.weight), Int64(instance.priority),
            Int64(instance.ttlSeconds), Int64(instance.dnsTTL), instance.isDraining,
            instance.registeredAt.millisecondsSince1970,
        ])
        try statement.execute()
    }

    /// Deletes a row with a statement of the ``deletion``.
    static func delete(sequence: UInt64, with statement: Statement) throws {
        statement.setUncheckedArguments([Int64(sequence)])
        try statement.execute()
    }

    /// Whoever has written the row: what is not as the API would have taken it is no instance.
    private static func instance(_ row: Row) -> ServiceInstance? {
        guard let sequence = UInt64(exactly: row[0] as Int64), sequence < 1 << 62,
            let id = row[1] as String?, InstanceFields.isID(id),
            let name = row[2] as String?, InstanceFields.label(name) == name,
            let address = IPAddress(row[3] as String),
            let port = UInt16(exactly: row[4] as Int64), port > 0,
            let transport = TransportProtocol(rawValue: row[5] as String),
            let tags = StoredText.tags(row[6] as String?),
            let metadata = StoredText.metadata(row[7] as String?),
            let weight = UInt16(exactly: row[8] as Int64),
            let priority = UInt16(exactly: row[9] as Int64),
            let ttl = Int32(exactly: row[10] as Int64), ttl >= 0,
            let dnsTTL = UInt32(exactly: row[11] as Int64), (1...86_400).contains(dnsTTL)
        else { return nil }
        return ServiceInstance(
            id: id, name: name, address: address, port: port, transport: transport, tags: tags, metadata: metadata,
            weight: weight, priority: priority, ttlSeconds: Int(ttl), dnsTTL: dnsTTL, isDraining: row[12] as Bool,
            registeredAt: WallTime(millisecondsSince1970: row[13]), sequence: sequence
        )
    }
}

/// Lists in one column: JSON, or nothing when they are empty.
private enum StoredText {
    static func text(tags: [String]) -> String? {
        if tags.isEmpty { return nil }
        var writer = JSONWriter()
        writer.tags(tags)
        return String(decoding: writer.octets, as: UTF8.self)
    }

    static func text(metadata: [MetadataEntry]) -> String? {
        if metadata.isEmpty { return nil }
        var writer = JSONWriter()
        writer.metadata(metadata)
        return String(decoding: writer.octets, as: UTF8.self)
    }

    static func tags(_ text: String?) -> [String]? {
        value(text, InstanceFields.tags)
    }

    static func metadata(_ text: String?) -> [MetadataEntry]? {
        value(text, InstanceFields.metadata)
    }

    private static func value<Element>(
        _ text: String?, _ read: (JSONValue, inout [FieldError]) -> [Element]?
    ) -> [Element]? {
        guard let text else { return [] }
        guard let json = try? JSONParser.parse(Array(text.utf8)) else { return nil }
        var errors: [FieldError] = []
        return read(json, &errors)
    }
}
