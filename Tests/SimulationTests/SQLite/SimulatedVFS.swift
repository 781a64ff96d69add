import GRDBSQLite
import Glibc
import Synchronization

/// The operating system that SQLite sees. Files in certain folders are on a ``SimulatedDisk``, all others are the
/// system's.
///
/// It is the process's default, so the product opens its file as always. Only one process at a time has a file here, so
/// locks and memory shared with other processes mean nothing.
enum SimulatedVFS {
    /// The disks by their folders.
    private static let disks = Mutex<[String: SimulatedDisk]>([:])

    /// Puts a disk in place of a folder.
    static func mount(_ disk: SimulatedDisk, at folder: String) {
        _ = isRegistered
        disks.withLock { $0[folder] = disk }
    }

    static func unmount(_ folder: String) { disks.withLock { $0[folder] = nil } }

    /// The process that has the disk of a file, and the file's name on the disk; `nil` if the file is the system's.
    private static func place(_ path: String) -> (session: DiskSession, name: String)? {
        guard let slash = path.lastIndex(of: "/"),
            let session = disks.withLock({ $0[String(path[..<slash])]?.session })
        else { return nil }
        return (session, String(path[path.index(after: slash)...]))
    }

    // MARK: The process's file system

    // Unsafe: both are made once and live as long as the process; nothing writes to them later.
    private nonisolated(unsafe) static let system: UnsafeMutablePointer<sqlite3_vfs> = unsafe sqlite3_vfs_find(nil)
    private nonisolated(unsafe) static let methods: UnsafeMutablePointer<sqlite3_io_methods> = {
        let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        unsafe methods.initialize(to: fileMethods)
        return unsafe methods
    }()

    private static let looks = Atomic<Int64>(0)

    private static let isRegistered: Bool = {
        // Unsafe: the system's methods are copied; those about file names are replaced.
        var own = unsafe system.pointee
        unsafe own.szOsFile = max(own.szOsFile, Int32(MemoryLayout<OpenFile>.size))
        unsafe own.pNext = nil
        unsafe own.zName = UnsafePointer(strdup("simulated"))
        unsafe own.xOpen = { _, path, file, flags, outFlags in
            unsafe open(path, file, flags, outFlags)
        }
        unsafe own.xDelete = { _, path, syncsFolder in
            guard let path = unsafe path, let place = unsafe place(String(cString: path)) else {
                return unsafe system.pointee.xDelete(system, path, syncsFolder)
            }
            return code(SQLITE_IOERR | 10 << 8) { () throws(DiskError) in
                try place.session.delete(place.name, syncsFolder: syncsFolder != 0)
            }
        }
        unsafe own.xAccess = { _, path, flags, result in
            guard let path = unsafe path, let place = unsafe place(String(cString: path)) else {
                return unsafe system.pointee.xAccess(system, path, flags, result)
            }
            // Like the system's: an empty file counts as missing.
            unsafe result?.pointee = place.session.length(of: place.name) ?? 0 > 0 ? 1 : 0
            return SQLITE_OK
        }
        // Each look at the clock finds another second: whether what is written is what was there, so that SQLite leaves
        // it out, must not depend on how long the simulation takes.
        unsafe own.xCurrentTimeInt64 = { _, time in
            let seconds = 1_800_000_000 + looks.wrappingAdd(1, ordering: .relaxed).newValue
            unsafe time?.pointee = sqlite3_int64(210_866_760_000_000 + seconds * 1000)
            return SQLITE_OK
        }
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        unsafe vfs.initialize(to: own)
        return unsafe sqlite3_vfs_register(vfs, 1) == SQLITE_OK
    }()

    private static func open(
        _ path: UnsafePointer<CChar>?, _ file: UnsafeMutablePointer<sqlite3_file>?, _ flags: Int32,
        _ outFlags: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        guard let path = unsafe path, let place = unsafe place(String(cString: path)) else {
            return unsafe system.pointee.xOpen(system, path, file, flags, outFlags)
        }
        // Unsafe: SQLite has made room for `szOsFile` octets.
        let opened = unsafe UnsafeMutableRawPointer(file)?.assumingMemoryBound(to: OpenFile.self)
        // A file that was not opened is not closed either.
        unsafe opened?.initialize(to: OpenFile(methods: nil, state: nil))
        let isJournal = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL) != 0
        let makes = flags & SQLITE_OPEN_CREATE != 0
        return code(SQLITE_CANTOPEN) { () throws(DiskError) in
            let handle = try place.session.open(place.name, makes: makes, syncsFolder: makes && isJournal)
            let state = OpenState(handle)
            // Unsafe: `xClose` releases it.
            unsafe opened?.pointee = unsafe OpenFile(methods: methods, state: Unmanaged.passRetained(state).toOpaque())
            unsafe outFlags?.pointee = flags
        }
    }

    /// The result of an operation as SQLite's code.
    ///
    /// - Parameter failure: the code if the disk fails.
    private static func code(_ failure: Int32, _ body: () throws(DiskError) -> Void) -> Int32 {
        do throws(DiskError) {
            try body()
            return SQLITE_OK
        } catch {
            return switch error {
            case .noSpace: SQLITE_FULL
            case .noFile where failure == SQLITE_IOERR | 10 << 8: SQLITE_IOERR | 23 << 8
            case .failure, .noFile: failure
            }
        }
    }

    // MARK: Files

    /// An open file as SQLite has it. It begins with what every file of SQLite has.
    @unsafe
    private struct OpenFile {
        var methods: UnsafePointer<sqlite3_io_methods>?
        var state: UnsafeMutableRawPointer?
    }

    /// The state behind an open file.
    ///
    /// Unsafe: it owns the memory that SQLite takes for shared.
    @safe
    private final class OpenState {
        let handle: DiskHandle
        private var shared: [UnsafeMutableRawPointer] = unsafe []

        init(_ handle: DiskHandle) { self.handle = handle }

        deinit { releaseShared() }

        func releaseShared() {
            unsafe shared.forEach { unsafe $0.deallocate() }
            unsafe shared = []
        }

        func region(_ number: Int, _ length: Int, makes: Bool) -> UnsafeMutableRawPointer? {
            while unsafe shared.count <= number, makes {
                let region = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 4096)
                unsafe region.initializeMemory(as: UInt8.self, repeating: 0, count: length)
                unsafe shared.append(region)
            }
            return unsafe number < shared.count ? shared[number] : nil
        }
    }

    private static func state(_ file: UnsafeMutablePointer<sqlite3_file>?) -> OpenState? {
        // Unsafe: SQLite passes only files that were opened here and are not closed.
        guard let state = unsafe UnsafeMutableRawPointer(file)?.assumingMemoryBound(to: OpenFile.self).pointee.state
        else { return nil }
        return unsafe Unmanaged<OpenState>.fromOpaque(state).takeUnretainedValue()
    }

    private static var fileMethods: sqlite3_io_methods {
        var methods = sqlite3_io_methods()
        // This version includes shared memory, but no mapped files.
        methods.iVersion = 2
        unsafe methods.xClose = { file in
            let opened = unsafe UnsafeMutableRawPointer(file)?.assumingMemoryBound(to: OpenFile.self)
            if let state = unsafe opened?.pointee.state { unsafe Unmanaged<OpenState>.fromOpaque(state).release() }
            unsafe opened?.pointee = OpenFile(methods: nil, state: nil)
            return SQLITE_OK
        }
        unsafe methods.xRead = { file, target, count, offset in
            unsafe SimulatedVFS.read(file, target, Int(count), Int(offset))
        }
        unsafe methods.xWrite = { file, source, count, offset in
            guard let handle = unsafe SimulatedVFS.state(file)?.handle else { return SQLITE_MISUSE }
            // Unsafe: SQLite gives the length.
            let octets = unsafe Array(UnsafeRawBufferPointer(start: source, count: Int(count)))
            return SimulatedVFS.code(SQLITE_IOERR | 3 << 8) { () throws(DiskError) in
                try handle.write(octets, at: Int(offset))
            }
        }
        unsafe methods.xTruncate = { file, length in
            guard let handle = unsafe SimulatedVFS.state(file)?.handle else { return SQLITE_MISUSE }
            return SimulatedVFS.code(SQLITE_IOERR | 6 << 8) { () throws(DiskError) in
                try handle.truncate(to: Int(length))
            }
        }
        unsafe methods.xSync = { file, _ in
            guard let handle = unsafe SimulatedVFS.state(file)?.handle else { return SQLITE_MISUSE }
            return SimulatedVFS.code(SQLITE_IOERR | 4 << 8) { () throws(DiskError) in try handle.sync() }
        }
        unsafe methods.xFileSize = { file, length in
            guard let handle = unsafe SimulatedVFS.state(file)?.handle else { return SQLITE_MISUSE }
            unsafe length?.pointee = Int64(handle.length)
            return SQLITE_OK
        }
        unsafe methods.xLock = { _, _ in SQLITE_OK }
        unsafe methods.xUnlock = { _, _ in SQLITE_OK }
        unsafe methods.xCheckReservedLock = { _, result in
            unsafe result?.pointee = 0
            return SQLITE_OK
        }
        unsafe methods.xFileControl = { _, _, _ in SQLITE_NOTFOUND }
        unsafe methods.xSectorSize = { _ in 4096 }
        // Like the system's: a write does no harm to the octets beside it.
        unsafe methods.xDeviceCharacteristics = { _ in SQLITE_IOCAP_POWERSAFE_OVERWRITE }
        unsafe methods.xShmMap = { file, number, length, makes, region in
            unsafe region?.pointee = SimulatedVFS.state(file)?.region(Int(number), Int(length), makes: makes != 0)
            return SQLITE_OK
        }
        unsafe methods.xShmLock = { _, _, _, _ in SQLITE_OK }
        unsafe methods.xShmBarrier = { _ in }
        unsafe methods.xShmUnmap = { file, _ in
            unsafe SimulatedVFS.state(file)?.releaseShared()
            return SQLITE_OK
        }
        return methods
    }

    private static func read(
        _ file: UnsafeMutablePointer<sqlite3_file>?, _ target: UnsafeMutableRawPointer?, _ count: Int, _ offset: Int
    ) -> Int32 {
        guard let handle = unsafe state(file)?.handle, let target = unsafe target else { return SQLITE_MISUSE }
        var found = 0
        let code = code(SQLITE_IOERR | 1 << 8) { () throws(DiskError) in
            let octets = try handle.read(count, at: offset)
            found = octets.count
            // Unsafe: SQLite has made room for as many octets as it wants, and the rest must be zeros.
            let place = unsafe UnsafeMutableRawBufferPointer(start: target, count: count)
            unsafe place.copyBytes(from: octets)
            for index in found..<count { unsafe place[index] = 0 }
        }
        return code == SQLITE_OK && found < count ? SQLITE_IOERR | 2 << 8 : code
    }
}
