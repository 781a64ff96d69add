import Engine
import GRDB

/// A row of the table `instance`.
struct InstanceRow {
    /// The columns, in the order in which they are read and written.
    private static let columns = """
        sequence, id, name, ip, port, protocol, tags, metadata, weight, priority, ttl, dns_ttl, draining, \
        registered_at_milliseconds, id_origin, checks, results, has_default_dns_ttl
        """

    /// All rows, in the order of registration.
    static let selection = "SELECT \(columns) FROM instance ORDER BY sequence"
    /// Writes the row of an instance.
    static let replacement = """
        INSERT OR REPLACE INTO instance (\(columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
        """
    /// Deletes the row with a sequence number.
    static let deletion = "DELETE FROM instance WHERE sequence = ?"

    /// Its key: the instance's sequence number as stored.
    let key: Int64
    /// The instance in the row, or `nil` if the row holds none.
    let instance: ServiceInstance?

    /// Reads a row of the ``selection``.
    init(_ row: Row) {
        key = row[0] as Int64? ?? 0
        instance = Self.instance(row, key)
    }

    /// Writes the row of an instance with a statement made from ``replacement``.
    static func put(_ instance: ServiceInstance, with statement: Statement) throws {
        // Unchecked: there are as many arguments as the statement has.
        statement.setUncheckedArguments([
            Self.key(instance.sequence), instance.id, instance.name, instance.address.description, Int64(instance.port),
            instance.transport.rawValue, StoredText.text(tags: instance.tags),
            StoredText.text(metadata: instance.metadata), Int64(instance.weight), Int64(instance.priority),
            Int64(instance.ttlSeconds), Int64(instance.dnsTTL), instance.isDraining,
            instance.registeredAt.millisecondsSince1970, instance.idOrigin.rawValue,
            StoredText.text(checks: instance.checks), StoredText.text(results: instance.results),
            instance.hasDefaultDNSTTL,
        ])
        try statement.execute()
    }

    /// Deletes a row with a statement made from ``deletion``.
    static func delete(key: Int64, with statement: Statement) throws {
        statement.setUncheckedArguments([key])
        try statement.execute()
    }

    /// The key of the row for the instance with a sequence number.
    static func key(_ sequence: UInt64) -> Int64 { Int64(bitPattern: sequence) }

    /// The instance in a row, whoever wrote it. Values that the API would not have accepted make no instance. Every
    /// column may be missing: a damaged file need not keep what the table's definition promises.
    private static func instance(_ row: Row, _ key: Int64) -> ServiceInstance? {
        guard let id = row[1] as String?, InstanceFields.isID(id),
            let name = row[2] as String?, InstanceFields.label(name) == name,
            let address = (row[3] as String?).flatMap({ IPAddress($0) }),
            let port = UInt16(exactly: row[4] as Int64? ?? 0), port > 0,
            let transport = (row[5] as String?).flatMap(TransportProtocol.init),
            let tags = StoredText.tags(row[6] as String?),
            let metadata = StoredText.metadata(row[7] as String?),
            let weight = UInt16(exactly: row[8] as Int64? ?? -1),
            let priority = UInt16(exactly: row[9] as Int64? ?? -1),
            let ttl = Int32(exactly: row[10] as Int64? ?? -1), ttl >= 0,
            let dnsTTL = UInt32(exactly: row[11] as Int64? ?? 0), (1...86_400).contains(dnsTTL),
            let isDraining = row[12] as Int64?, (0...1).contains(isDraining),
            let registeredAt = (row[13] as Int64?).flatMap(WallTime.init(checking:)),
            let checks = StoredText.checks(row[15] as String?)
        else { return nil }
        var instance = ServiceInstance(
            id: id, name: name, address: address, port: port, transport: transport, tags: tags, metadata: metadata,
            weight: weight, priority: priority, ttlSeconds: Int(ttl), dnsTTL: dnsTTL, checks: checks,
            isDraining: isDraining == 1,
            registeredAt: registeredAt, sequence: UInt64(bitPattern: key)
        )
        instance.idOrigin = (row[14] as String?).flatMap(IdentifierOrigin.init) ?? instance.presumedOrigin
        instance.results = StoredText.results(row[16] as String?)
        // NULL in older rows: it is not known, so the TTL stays what it is.
        instance.hasDefaultDNSTTL = row[17] as Int64? == 1
        return instance
    }
}

/// Lists in one column: JSON, or an empty text for an empty list.
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

    static func text(checks: [Check]) -> String? {
        if checks.isEmpty { return nil }
        var writer = JSONWriter()
        writer.checks(checks)
        return String(decoding: writer.octets, as: UTF8.self)
    }

    static func text(results: [CheckRecord]) -> String? {
        if results.isEmpty { return nil }
        var writer = JSONWriter()
        writer.results(results)
        return String(decoding: writer.octets, as: UTF8.self)
    }

    static func checks(_ text: String?) -> [Check]? {
        value(text, InstanceFields.checks)
    }

    static func results(_ text: String?) -> [CheckRecord] {
        guard let text, let json = try? JSONParser.parse(Array(text.utf8)) else { return [] }
        return StoredRecords.results(json)
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
