import Foundation
import GRDB

/// A change of one row.
enum RowChange: Sendable {
    case put(ServiceInstance)
    case delete(key: Int64)
    case putPolicy(NamedPolicy)
    case deletePolicy(name: String)
}

/// The database file: opening, schema, reading, writing.
///
/// Another program may read it or back it up at the same time. A second server may not use it: a lock on a file beside
/// it prevents that, and ends with the process.
final class InstanceDatabase: Sendable {
    /// How long a write waits for another program that writes to the file.
    private static let busyTimeout = 1.0
    /// How many rows are passed on at once when all are read.
    private static let sliceLength = 1000

    private let path: String
    private let lock: FileLock
    let queue: DatabaseQueue
    private let file: FileIdentity?
    /// Why what was found may be lost with the power: it could not be synced; `nil`: it is on the disk.
    let openingProblem: StoreUnavailable?

    /// Opens the file; creates it and its folder if they do not exist.
    init(path: String) throws(StoreUnavailable) {
        let path = FileReason.absolute(path)
        self.path = path
        let folder = URL(filePath: path).deletingLastPathComponent().path
        if let reason = FileReason.makeFolder(folder) {
            throw StoreUnavailable(reason: "\(path): can't create the folder \(folder): \(reason)")
        }
        do {
            lock = try FileLock(path: path + ".lock")
            var configuration = GRDB.Configuration()
            configuration.busyMode = .timeout(Self.busyTimeout)
            configuration.journalMode = .wal
            configuration.label = "storage"
            // Check before anything is written, even the journal mode.
            configuration.prepareDatabase { try InstanceSchema.checkOrigin($0) }
            queue = try DatabaseQueue(path: path, configuration: configuration)
            // Acknowledged changes must survive a loss of power, not only the end of the process. Set it only here:
            // GRDB sets NORMAL when it turns on WAL. With a rollback journal, FULL would not be enough: one that was
            // deleted could be there again, and undo what was acknowledged.
            try queue.inDatabase { try $0.execute(sql: "PRAGMA synchronous = EXTRA") }
            try InstanceSchema.migrate(queue)
            // A disk that fails while WAL is turned on can leave a rollback journal in use, without an error.
            let journal = try queue.inDatabase { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
            guard journal == "wal" else {
                throw StoreUnavailable(reason: "\(path): the write-ahead log can't be turned on (does the disk work?)")
            }
            file = FileIdentity(path: path)
        } catch {
            throw Self.unavailable(error, path)
        }
        openingProblem = Self.sync(queue, path)
    }

    /// Syncs what is found: the process before may have written it, and ended before it was on the disk. Nobody may be
    /// told of it, or that something is not there any longer, who finds it otherwise after a loss of power.
    private static func sync(_ queue: DatabaseQueue, _ path: String) -> StoreUnavailable? {
        do {
            // A checkpoint syncs the journal before all else, also where there is no room for what it does then.
            _ = try queue.inDatabase { try $0.checkpoint(.passive) }
            return nil
        } catch {
            return unavailable(error, path)
        }
    }

    /// Reads all rows, in slices.
    func readAll(_ body: ([InstanceRow]) -> Void) throws(StoreUnavailable) {
        do {
            try queue.unsafeRead { database in
                let cursor = try Row.fetchCursor(database, sql: InstanceRow.selection)
                var slice: [InstanceRow] = []
                while let row = try cursor.next() {
                    slice.append(InstanceRow(row))
                    if slice.count == Self.sliceLength {
                        body(slice)
                        slice.removeAll(keepingCapacity: true)
                    }
                }
                body(slice)
            }
        } catch {
            throw Self.unavailable(error, path)
        }
    }

    /// Reads all policies.
    ///
    /// - Returns: the policies, and how many rows have none.
    func readPolicies() throws(StoreUnavailable) -> (policies: [NamedPolicy], malformedCount: Int) {
        do {
            let rows = try queue.read { try PolicyRow.all($0) }
            return (rows.compactMap(\.self), rows.count { $0 == nil })
        } catch {
            throw Self.unavailable(error, path)
        }
    }

    /// Why nothing may be written; `nil`: it may. The open file may have lost its name, so that written data would be
    /// lost with the process, or the lock may be on a file that others don't see.
    var replacement: StoreUnavailable? {
        let lost: (path: String, advice: String)? =
            if FileIdentity(path: path) != file {
                (path, "put it back, or restart with what is there")
            } else if !lock.isEffective {
                (path + ".lock", "another server could use the database now: restart the one that shall have it")
            } else {
                nil
            }
        return lost.map { StoreUnavailable(reason: "\($0.path): the file was removed or replaced (\($0.advice))") }
    }

    /// Writes all changes in one transaction, which is on the disk when this returns.
    ///
    /// - Parameters:
    ///   - deleting: keys of rows to delete first.
    ///   - isTrial: whether to write something even if there are no changes, to find out whether that works.
    func write(_ changes: [RowChange], deleting: [Int64], isTrial: Bool) throws(StoreUnavailable) {
        if let replacement { throw replacement }
        do {
            try queue.write { database in
                let put = try database.cachedStatement(sql: InstanceRow.replacement)
                let delete = try database.cachedStatement(sql: InstanceRow.deletion)
                if isTrial { try database.execute(sql: InstanceSchema.trial) }
                for key in deleting { try InstanceRow.delete(key: key, with: delete) }
                for change in changes {
                    switch change {
                    case .put(let instance): try InstanceRow.put(instance, with: put)
                    case .delete(let key): try InstanceRow.delete(key: key, with: delete)
                    case .putPolicy(let policy): try PolicyRow.put(policy, in: database)
                    case .deletePolicy(let name): try PolicyRow.delete(name, in: database)
                    }
                }
            }
        } catch {
            throw Self.unavailable(error, path)
        }
    }

    /// Closes the file; nothing can be read or written afterwards.
    func close() {
        // If closing fails, the file closes with the process; all acknowledged changes are on the disk.
        try? queue.close()
        lock.release()
    }

    /// Says in one line what is wrong and what to do.
    private static func unavailable(_ error: any Error, _ path: String) -> StoreUnavailable {
        switch error {
        case let error as StoreUnavailable: error
        case let error as DatabaseError: StoreUnavailable(reason: "\(path): \(describe(error))")
        default: StoreUnavailable(reason: "\(path): \(FileReason.words(for: error))")
        }
    }

    private static func describe(_ error: DatabaseError) -> String {
        let message = error.message ?? "error \(error.extendedResultCode.rawValue)"
        let advice: String? =
            switch error.resultCode {
            case .SQLITE_NOTADB, .SQLITE_CORRUPT:
                "restore a backup, or move the file away to begin with an empty registry"
            case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM:
                "the file and its folder must be writable"
            case .SQLITE_BUSY, .SQLITE_LOCKED:
                "another program writes to it"
            case .SQLITE_FULL, .SQLITE_IOERR:
                "is there room on the disk?"
            default: nil
            }
        return advice.map { "\(message) (\($0))" } ?? message
    }
}
