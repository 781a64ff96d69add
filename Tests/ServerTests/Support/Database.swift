import Foundation
import Testing

/// A database in a folder of its own, used by servers one after the other, and by others.
struct Database {
    let folder: TemporaryFolder
    /// Where the file is.
    let path: String

    /// - Parameter place: the folder that it is in; otherwise a temporary one.
    init(in place: String? = nil) throws {
        folder = try TemporaryFolder()
        path = "\(place ?? folder.path)/registry.db"
    }

    /// What a server needs to use it.
    var settings: [String: String] {
        [
            "storage.type": "sqlite", "storage.sqlite.path": path, "dns.workers": "2",
            "heartbeat.cleanup_interval": "200ms",
        ]
    }

    /// The file's octets.
    var octets: Data {
        get throws { try Data(contentsOf: URL(filePath: path)) }
    }

    /// Lets another program execute statements.
    func execute(_ sql: String) throws {
        let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()"
        try Command.run("python3", "-c", script, path, sql)
    }

    /// A server that has filled it and ended.
    func fill(_ count: Int) throws {
        let server = try ServerProcess(settings)
        let registrations = (0..<count).map {
            Registration("s\($0 % 100)", "10.1.\($0 / 250).\($0 % 250)", id: "i\($0)")
        }
        #expect(try HTTPConnection(server.rest).batch(register: registrations).allSatisfy { $0.status == 201 })
        try server.stop()
    }

    /// A program that reads and writes the file as nobody else may, until it is ended.
    func lock() throws -> ChildProcess {
        let script = """
            import sqlite3, sys, time
            c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
            c.execute("BEGIN EXCLUSIVE")
            print("locked", file=sys.stderr, flush=True)
            time.sleep(600)
            """
        let process = try Command.start(["python3", "-c", script, path])
        #expect(try process.waitForErrors { $0.contains("locked") }, "\(process.errors)")
        return process
    }
}

extension ChildProcess {
    /// Ends the program at once.
    func end() throws {
        signal(9)
        _ = try waitForExit()
    }
}
