import GRDB

/// The tables, version by version.
///
/// A migration is never changed once it is released; a new version adds one.
enum InstanceSchema {
    /// Writes something that nobody reads.
    ///
    /// It takes seven pages or so, as large changes do: where there is room for one page alone, changes would fail
    /// while this succeeds.
    static let trial = """
        WITH RECURSIVE number(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < 2000)
        INSERT OR REPLACE INTO trial (id, time) SELECT value, unixepoch() FROM number
        """

    /// What the header of the file says that it is ours (`PRAGMA application_id`): "kdis".
    static let applicationID: Int32 = 0x6B64_6973

    /// Checks that a database is ours, or empty, without writing to it.
    ///
    /// - Throws: when it is another program's.
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

    /// Early versions left no identifier.
    private static func isOursWithoutIdentifier(_ database: Database, _ tables: [String]) throws -> Bool {
        // A first start that was cut short: this table is made before all else.
        if tables == ["grdb_migrations"] {
            return try Int.fetchOne(database, sql: "SELECT count(*) FROM grdb_migrations") == 0
        }
        guard Set(tables).isSuperset(of: ["grdb_migrations", "instance", "trial"]) else { return false }
        return try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM grdb_migrations WHERE identifier = '1 instances')") ?? false
    }

    /// Brings a database to this version.
    ///
    /// - Throws: also when a newer version of this program has written to it.
    static func migrate(_ queue: DatabaseQueue) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 instances") { database in
            // By sequence, so that new instances are appended: an index on the id would cost as much again, and the
            // registry, which has all instances in memory, knows the sequence of each.
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
            // NULL in older rows: what it is follows from the row.
            try database.execute(sql: "ALTER TABLE instance ADD COLUMN id_origin TEXT")
        }
        if try queue.read({ try migrator.hasBeenSuperseded($0) }) {
            throw DatabaseError(message: "the database was written by a newer version of kong-discovery; use that one")
        }
        try migrator.migrate(queue)
        // What can't be written now is written at another start: without it the file is known by its tables.
        try? queue.write { database in
            guard try Int32.fetchOne(database, sql: "PRAGMA application_id") != applicationID else { return }
            try database.execute(sql: "PRAGMA application_id = \(applicationID)")
        }
    }
}
