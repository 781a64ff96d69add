import Foundation
import Testing

/// A database in a folder of its own. Servers use it one after the other, and other programs use it too.
struct Database {
    let folder: TemporaryFolder
    /// The path of the file.
    let path: String

    /// - Parameter place: the folder for the file; a temporary one by default.
    init(in place: String? = nil) throws {
        folder = try TemporaryFolder()
        path = "\(place ?? folder.path)/registry.db"
    }

    /// The settings with which a server uses it.
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

    /// Runs statements in another program.
    func execute(_ sql: String) throws {
        let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()"
        try Command.run("python3", "-c", script, path, sql)
    }

    /// Runs a server that fills it and ends.
    func fill(_ count: Int) throws {
        let server = try ServerProcess(settings)
        let registrations = (0..<count).map {
            Registration("s\($0 % 100)", "10.1.\($0 / 250).\($0 % 250)", id: "i\($0)")
        }
        #expect(try HTTPConnection(server.rest).batch(register: registrations).allSatisfy { $0.status == 201 })
        try server.stop()
    }

    /// Starts a program that locks the file exclusively until it is ended.
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
