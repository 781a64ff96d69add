import Foundation
import Testing

extension StorageTests {
    /// A database that can't be used: there is one clear line that names it, and exit status 1.
    @Suite struct SQLiteStartTests {
        /// Starts a server that must not start.
        ///
        /// - Returns: the only line that it writes.
        private func failingStart(
            _ settings: [String: String],
            at location: SourceLocation = #_sourceLocation
        ) throws -> String {
            let process = try ServerProcess.start(["serve"], settings)
            #expect(try process.waitForExit() == .exited(1), "\(process.errors)", sourceLocation: location)
            #expect(process.output == "", sourceLocation: location)
            let lines = process.errors.split(separator: "\n").map(String.init)
            #expect(lines.count == 1, "\(lines)", sourceLocation: location)
            let line = lines.first ?? ""
            #expect(line.hasPrefix("kong-discovery: error: "), "\(line)", sourceLocation: location)
            let path = settings["storage.sqlite.path"] ?? "?"
            #expect(line.contains(path), "\(line)", sourceLocation: location)
            return line
        }

        @Test func `a second server on the same database gives up, and the first goes on`() async throws {
            let database = try Database()
            try await withServer(database.settings) { server in
                #expect(try failingStart(database.settings).contains("another kong-discovery"))
                try server.expectWell()
            }
            // No lock outlives its server, whichever way the server ended.
            try ServerProcess(database.settings).kill()
            try await withServer(database.settings) { server in
                let answer = try server.ask("well.service.kong")
                #expect(answer.texts == ["10.0.0.1"])
            }
        }

        @Test func `of two servers that start at once on a database that is not there yet one starts`() throws {
            for _ in 0..<60 {
                let database = try Database()
                let pair = try (0..<2).map { _ in try ServerProcess.start(["serve"], database.settings) }
                let ready = try pair.filter { try $0.waitForErrors { $0.hasSuffix(" ready\n") } }
                try #require(ready.count == 1)
                for process in pair where process !== ready[0] {
                    #expect(try process.waitForExit() == .exited(1))
                    #expect(process.errors.contains("another kong-discovery uses this database"), "\(process.errors)")
                }
                try ready[0].end()
            }
        }

        @Test func `nobody else may read the files, and no core dump is written`() async throws {
            let folder = try TemporaryFolder()
            try await withServer(["storage.type": "", "log.level": "debug"], folder: folder.path) { server in
                try server.expectWell()
                let data = "\(folder.path)/data"
                let names = try FileManager.default.contentsOfDirectory(atPath: data)
                #expect(names.count == 4, "\(names)")
                for path in [data] + names.map({ "\(data)/\($0)" }) {
                    let rights = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                    #expect(rights.map { $0 & 0o077 } == 0, "\(path)")
                }
                let limits = try String(contentsOfFile: "/proc/\(server.process.identifier)/limits", encoding: .utf8)
                let line = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
                #expect(line?.split(separator: " ").suffix(3) == ["0", "0", "bytes"])
            }
        }

        enum Damage: CaseIterable { case noDatabase, pageInTheMiddle, zeroPage, firstPage, truncated, foreign }

        @Test(arguments: Damage.allCases)
        func `a damaged file is named`(damage: Damage) throws {
            let database = try Database()
            try database.fill(2000)
            var octets = try database.octets
            #expect(octets.count > 20 * 4096)
            var generator = SeededGenerator(seed: 3)
            let middle = octets.count / 2 / 4096 * 4096
            switch damage {
            case .noDatabase: octets = Data(generator.octets(20_000))
            case .pageInTheMiddle: octets.replaceSubrange(middle..<middle + 4096, with: generator.octets(4096))
            case .zeroPage: octets.replaceSubrange(middle..<middle + 4096, with: repeatElement(0, count: 4096))
            // This replaces everything except the magic string and the page size, which identify a database.
            case .firstPage: octets.replaceSubrange(100..<4096, with: generator.octets(3996))
            case .truncated: octets = octets.prefix(middle + 100)
            case .foreign: octets = Data()
            }
            try octets.write(to: URL(filePath: database.path))
            if damage == .foreign { try database.execute("CREATE TABLE instance (x); INSERT INTO instance VALUES (1)") }
            let before = try database.octets
            _ = try failingStart(database.settings)
            // The file may be something else, of which there is no copy.
            if [.noDatabase, .foreign].contains(damage) { #expect(try database.octets == before) }
        }

        @Test func `a database of a newer version is left as it is`() throws {
            let database = try Database()
            try database.fill(10)
            try database.execute("INSERT INTO grdb_migrations VALUES ('999 of the future')")
            #expect(try failingStart(database.settings).contains("newer version"))
            try database.execute("DELETE FROM grdb_migrations WHERE identifier = '999 of the future'")
            let server = try ServerProcess(database.settings)
            #expect(try HTTPConnection(server.rest).list().count == 10)
            try server.stop()
        }

        @Test func `a database of an earlier version is taken over, with instances registered without an id`() throws {
            let database = try Database()
            let first = try ServerProcess(database.settings)
            let before = try HTTPConnection(first.rest)
            let id = try before.register(Registration("orders", "10.0.0.1")).id
            try before.register(Registration("orders", "10.0.0.2", id: "own"))
            try first.stop()
            try database.execute(
                """
                PRAGMA application_id = 0;
                ALTER TABLE instance DROP COLUMN id_origin;
                DELETE FROM grdb_migrations WHERE identifier LIKE '2 %';
                """)
            for _ in 0..<2 {
                let server = try ServerProcess(database.settings)
                let rest = try HTTPConnection(server.rest)
                #expect(try rest.register(Registration("orders", "10.0.0.1")).id == id)
                let another = try rest.register(Registration("orders", "10.0.0.2")).id
                #expect(another != "own")
                #expect(try rest.list().map(\.id) == [id, "own", another])
                try server.kill()
            }
            // From now on its identifier identifies it.
            try database.execute("DROP TABLE trial; CREATE TABLE trial (id INTEGER PRIMARY KEY, time INTEGER) STRICT;")
            try Command.run("python3", "-c", Self.readIdentifier, database.path)
        }

        @Test func `a first start that was cut short is completed`() throws {
            let database = try Database()
            try database.execute("CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
            let server = try ServerProcess(database.settings)
            try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1"))
            try server.kill()
            try Command.run("python3", "-c", Self.readIdentifier, database.path)
        }

        private static let readIdentifier = """
            import sqlite3, sys
            c = sqlite3.connect(sys.argv[1])
            sys.exit(c.execute("PRAGMA application_id").fetchone()[0] != 0x6b646973)
            """

        @Test(arguments: [
            "CREATE TABLE users (name); INSERT INTO users VALUES ('a')",
            "CREATE TABLE grdb_migrations (identifier TEXT); CREATE TABLE instance (a); CREATE TABLE trial (a)",
            "CREATE TABLE grdb_migrations (identifier TEXT); INSERT INTO grdb_migrations VALUES ('own')",
            "CREATE TABLE users (name); PRAGMA journal_mode = WAL; INSERT INTO users VALUES ('a')",
            "PRAGMA application_id = 1196444487",
        ])
        func `another program's database is named, and left as it is`(sql: String) throws {
            let database = try Database()
            try database.execute(sql)
            let before = try database.octets
            let line = try failingStart(database.settings)
            #expect(line.contains("a database of another program"), "\(line)")
            #expect(line.contains("users") == sql.contains("users"))
            #expect(try database.octets == before)
        }

        @Test func `an empty file, and an empty database, become the registry's`() async throws {
            for sql in ["", "PRAGMA user_version = 0"] {
                let database = try Database()
                try Data().write(to: URL(filePath: database.path))
                try database.execute(sql)
                try await withServer(database.settings) { server in try server.expectWell() }
                try Command.run("python3", "-c", Self.readIdentifier, database.path)
            }
        }

        @Test func `a folder that can't be made is named from the root on, with the reason`() throws {
            let folder = try TemporaryFolder()
            _ = try folder.write("data", "")
            let process = try ServerProcess.start(
                ["serve"], ["storage.type": "sqlite", "storage.sqlite.path": "data/deep/x.db"], folder: folder.path)
            #expect(try process.waitForExit() == .exited(1))
            let data = "\(folder.path)/data/deep"
            let line = "storage.sqlite: \(data)/x.db: can't create the folder \(data): Not a directory\n"
            #expect(process.errors == "kong-discovery: error: \(line)")
        }

        @Test func `a row that is no instance hides no other`() throws {
            let database = try Database()
            try database.fill(10)
            try database.execute("UPDATE instance SET ip = 'nowhere' WHERE id = 'i3'")
            let server = try ServerProcess(database.settings)
            #expect(try HTTPConnection(server.rest).list().map(\.id) == (0..<10).filter { $0 != 3 }.map { "i\($0)" })
            #expect(server.logLines.count { $0.contains(" error ") } == 1)
            try server.stop()
        }

        @Test func `a path that is a folder, or in none, is named`() throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("file", "")
            let other = "\(folder.path)/folder"
            try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
            for path in [other, "\(file)/registry.db", "/proc/registry.db"] {
                _ = try failingStart(["storage.type": "sqlite", "storage.sqlite.path": path])
            }
        }

        @Test(.enabled(if: Immutable.isPossible, "needs chattr, root and a file system that knows it"))
        func `a file that is read-only is named`() throws {
            let database = try Database()
            try database.fill(10)
            let immutable = try Immutable([database.path])
            #expect(try failingStart(database.settings).contains("writable"))
            try immutable.undo()
            try ServerProcess(database.settings).stop()
        }

        @Test(.enabled(if: Immutable.isPossible, "needs chattr, root and a file system that knows it"))
        func `a folder that is read-only is named`() throws {
            let folder = try TemporaryFolder()
            let immutable = try Immutable([folder.path])
            let line = try failingStart(
                ["storage.type": "sqlite", "storage.sqlite.path": "\(folder.path)/registry.db"])
            #expect(line.contains("writable") || line.contains("permission"), "\(line)")
            try immutable.undo()
        }

        @Test func `a file that another program writes to is named`() throws {
            let database = try Database()
            try database.fill(10)
            let other = try database.lock()
            #expect(try failingStart(database.settings).contains("another program"))
            try other.end()
            let server = try ServerProcess(database.settings)
            #expect(try HTTPConnection(server.rest).list().count == 10)
            try server.stop()
        }
    }
}

/// Files that even root can't write to.
final class Immutable {
    private let paths: [String]

    /// Whether files can be made immutable here.
    static let isPossible: Bool = {
        guard let folder = try? TemporaryFolder(), let immutable = try? Immutable([folder.path]) else { return false }
        let isRefused = (try? folder.write("x", "")) == nil
        return (try? immutable.undo()) != nil && isRefused
    }()

    init(_ paths: [String]) throws {
        self.paths = paths
        for path in paths { try Command.run("chattr", "+i", path) }
    }

    deinit { try? undo() }

    /// Makes them writable again.
    func undo() throws {
        for path in paths { try Command.run("chattr", "-i", path) }
    }
}
