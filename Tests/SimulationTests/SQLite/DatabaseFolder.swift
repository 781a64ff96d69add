import Foundation

@testable import ControlPlane

/// The path of a database that is on a ``SimulatedDisk``. Only its lock is in the real folder.
final class DatabaseFolder {
    private static let name = "db"

    let disk: SimulatedDisk
    private let folder: String

    init(_ disk: SimulatedDisk) {
        self.disk = disk
        let temporary = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
        folder = temporary.appending(path: "kong-discovery-simulation-\(UUID())").path
        SimulatedVFS.mount(disk, at: folder)
    }

    deinit {
        SimulatedVFS.unmount(folder)
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Opens the database as a process that starts now does.
    func open() throws(StoreUnavailable) -> (store: SQLiteStore, session: DiskSession) {
        let session = disk.begin()
        do throws(StoreUnavailable) {
            try mirrorJournal(session)
            let store = try SQLiteStore(path: "\(folder)/\(Self.name)", logger: .none)
            // The process may have ended in the middle of something that a start can do without.
            if session.isSevered { throw StoreUnavailable(reason: "the process has ended") }
            return (store, session)
        } catch {
            // The process ends.
            session.sever()
            throw error
        }
    }

    /// GRDB asks Foundation, not SQLite, whether there is a journal.
    private func mirrorJournal(_ session: DiskSession) throws(StoreUnavailable) {
        let name = Self.name + "-wal"
        let path = "\(folder)/\(name)"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            if session.length(of: name) ?? 0 > 0 {
                try Data([0]).write(to: URL(filePath: path))
            } else if FileManager.default.fileExists(atPath: path) {
                try FileManager.default.removeItem(atPath: path)
            }
        } catch {
            throw StoreUnavailable(reason: "\(error)")
        }
    }

    /// A text without the folder's name, which differs between runs.
    func withoutPaths(_ text: String) -> String { text.replacing(folder, with: "") }
}
