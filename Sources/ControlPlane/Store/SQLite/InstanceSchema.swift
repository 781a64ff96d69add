import GRDB

/// The tables, version by version.
///
/// A migration is never changed once it is released; a new version adds one.
enum InstanceSchema {
    /// Writes something that nobody reads.
    static let trial = "INSERT OR REPLACE INTO trial (id, time) VALUES (1, unixepoch())"

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
    }
}
