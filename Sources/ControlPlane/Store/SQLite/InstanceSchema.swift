import GRDB

/// The tables, version by version.
///
/// A released migration never changes; a new version adds one.
enum InstanceSchema {
    /// Writes something that nobody reads.
    ///
    /// It takes about seven pages, as large changes do: with room for only one page, a smaller trial would succeed
    /// while changes fail.
    static let trial = """
        WITH RECURSIVE number(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < 2000)
        INSERT OR REPLACE INTO trial (id, time) SELECT value, unixepoch() FROM number
        """

    /// Marks the file as ours in its header (`PRAGMA application_id`): "kdis".
    static let applicationID: Int32 = 0x6B64_6973

    /// Checks that a database is ours or empty, without writing to it.
    ///
    /// - Throws: if it belongs to another program.
    static func checkOrigin(_ database: Database) throws {
        let identifier = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        if identifier == applicationID { return }
        let tables = try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'table'")
        if identifier == 0, try tables.isEmpty || isOursWithoutIdentifier(database, tables) { return }
        let names = tables.prefix(3).map { String($0.prefix(40)) }.joined(separator: ", ").escapingControls
        let found = tables.isEmpty ? "" : ", with the tables \(names)\(tables.count > 3 ? " and others" : "")"
        throw DatabaseError(
            message: "a database of another program\(found); it was left as it is: choose another storage.sqlite.path")
    }

    /// Recognizes the databases of early versions, which had no identifier.
    private static func isOursWithoutIdentifier(_ database: Database, _ tables: [String]) throws -> Bool {
        // A first start was interrupted: this table is made before all others.
        if tables == ["grdb_migrations"] {
            return try Int.fetchOne(database, sql: "SELECT count(*) FROM grdb_migrations") == 0
        }
        guard Set(tables).isSuperset(of: ["grdb_migrations", "instance", "trial"]) else { return false }
        return try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM grdb_migrations WHERE identifier = '1 instances')") ?? false
    }

    /// Migrates a database to this version.
    ///
    /// - Throws: also if a newer version of this program has written to it.
    static func migrate(_ queue: DatabaseQueue) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 instances") { database in
            // The key is the sequence number, so that new instances are appended. An index on the id would double the
            // cost; the registry has all instances in memory and knows the sequence number of each.
            try database.execute(
                sql: """
                    CREATE TABLE instance (
                        sequence INTEGER PRIMARY KEY NOT NULL,
                        id TEXT NOT NULL,
                        name TEXT NOT NULL,
                        ip TEXT NOT NULL,
                        port INTEGER NOT NULL,
                        protocol TEXT NOT NULL,
                        tags TEXT,
                        metadata TEXT,
                        weight INTEGER NOT NULL,
                        priority INTEGER NOT NULL,
                        ttl INTEGER NOT NULL,
                        dns_ttl INTEGER NOT NULL,
                        draining INTEGER NOT NULL,
                        registered_at_milliseconds INTEGER NOT NULL
                    ) STRICT;
                    CREATE TABLE trial (id INTEGER PRIMARY KEY, time INTEGER) STRICT;
                    """)
        }
        migrator.registerMigration("2 origins of ids") { database in
            // NULL in older rows: the origin then follows from the row.
            try database.execute(sql: "ALTER TABLE instance ADD COLUMN id_origin TEXT")
        }
        migrator.registerMigration("3 checks") { database in
            // JSON, or NULL for none.
            try database.execute(
                sql: "ALTER TABLE instance ADD COLUMN checks TEXT; ALTER TABLE instance ADD COLUMN results TEXT")
        }
        migrator.registerMigration("4 policies") { database in
            try database.execute(
                sql: """
                    CREATE TABLE policy (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;
                    ALTER TABLE instance ADD COLUMN has_default_dns_ttl INTEGER;
                    """)
        }
        if try queue.read({ try migrator.hasBeenSuperseded($0) }) {
            throw DatabaseError(message: "the database was written by a newer version of kong-discovery; use that one")
        }
        try migrator.migrate(queue)
        // If this fails, a later start will write it; until then the file is recognized by its tables.
        try? queue.write { database in
            guard try Int32.fetchOne(database, sql: "PRAGMA application_id") != applicationID else { return }
            try database.execute(sql: "PRAGMA application_id = \(applicationID)")
        }
    }
}
