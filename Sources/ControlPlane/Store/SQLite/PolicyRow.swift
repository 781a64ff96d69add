import GRDB

/// The rows of the table `policy`: the name of a service, and its policy as JSON.
enum PolicyRow {
    /// All policies; `nil` for a row that has none.
    static func all(_ database: Database) throws -> [NamedPolicy?] {
        try Row.fetchAll(database, sql: "SELECT name, value FROM policy ORDER BY name").map { row in
            guard let name = row[0] as String?, let value = row[1] as String?,
                let named = try? StoredPolicy.decode(Array(value.utf8)), named.name == name
            else { return nil }
            return named
        }
    }

    /// Writes the row of a policy.
    static func put(_ named: NamedPolicy, in database: Database) throws {
        let statement = try database.cachedStatement(sql: "INSERT OR REPLACE INTO policy (name, value) VALUES (?,?)")
        try statement.execute(
            arguments: [named.name, String(decoding: StoredPolicy.encode(named), as: UTF8.self)])
    }

    /// Deletes the row of a service's policy.
    static func delete(_ name: String, in database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM policy WHERE name = ?").execute(arguments: [name])
    }
}
