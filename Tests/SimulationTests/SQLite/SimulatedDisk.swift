/// A machine's disk, which outlives the machine's processes. It may be full, fail, and lose what was not synced.
///
/// If a sync fails, the next one that succeeds also syncs what is left. A system that forgets it instead, and reports
/// success, can't be distinguished from one that has lost nothing.
final class SimulatedDisk: @unchecked Sendable {
    /// How a process ends in the middle of its work on the disk.
    private struct Crash {
        /// The number of steps until then.
        var stepsLeft: Int
        var losesPower: Bool
    }

    let world: World
    fileprivate var files: [String: SyncedFile] = [:]
    /// The files that certainly survive a loss of power, by name.
    private var safeFiles: [String: SyncedFile] = [:]
    /// The process that uses the disk.
    private(set) weak var session: DiskSession?
    private var crash: Crash?
    /// The number of octets by which files may still grow; `nil`: there is no limit.
    fileprivate var room: Int?
    /// How many operations in a thousand fail.
    var failures = 0

    init(_ world: World) { self.world = world }

    /// Another process begins to use the disk.
    func begin() -> DiskSession {
        let session = DiskSession(self)
        self.session = session
        return session
    }

    /// Makes the process that uses the disk end in the middle of something.
    func prepareCrash(after steps: Int, losesPower: Bool) { crash = Crash(stepsLeft: steps, losesPower: losesPower) }

    /// Whether a crash is prepared.
    var isCrashAhead: Bool { crash != nil }

    /// Lets files grow by only so many octets more.
    func fill(leaving room: Int) { self.room = room }

    func empty() { room = nil }

    /// Ends all faults.
    func recover() { (crash, room, failures) = (nil, nil, 0) }

    /// Any part of what was not synced survives.
    func losePower() {
        world.note("disk: loses power")
        for name in Set(files.keys).union(safeFiles.keys).sorted() where files[name] !== safeFiles[name] {
            if world.random.once(in: 2) { safeFiles[name] = files[name] }
        }
        for name in safeFiles.keys.sorted() { safeFiles[name]?.losePower(&world.random) }
        files = safeFiles
    }

    func syncFolder() { safeFiles = files }

    /// Counts a step, and tells whether it is the last.
    fileprivate func takeStep() -> (isLast: Bool, losesPower: Bool) {
        guard let next = crash else { return (false, false) }
        if next.stepsLeft > 0 {
            crash?.stepsLeft -= 1
            return (false, false)
        }
        crash = nil
        return (true, next.losesPower)
    }
}

/// The reason why an operation on the disk was not done.
enum DiskError: Error {
    case failure, noSpace, noFile
}

/// The disk as one process has it.
final class DiskSession: @unchecked Sendable {
    fileprivate let disk: SimulatedDisk
    /// Whether the process is dead, so that nothing it does has an effect.
    private(set) var isSevered = false
    /// Called when the process ends in the middle of something.
    var onCrash: () -> Void = {}

    init(_ disk: SimulatedDisk) { self.disk = disk }

    func sever() { isSevered = true }

    func open(_ name: String, makes: Bool, syncsFolder: Bool) throws(DiskError) -> DiskHandle {
        if disk.files[name] == nil {
            if !makes { throw .noFile }
            try step()
            disk.files[name] = SyncedFile()
        }
        guard let file = disk.files[name], !isSevered else { throw .failure }
        return DiskHandle(self, file, syncsFolder: syncsFolder)
    }

    func delete(_ name: String, syncsFolder: Bool) throws(DiskError) {
        try step()
        guard disk.files.removeValue(forKey: name) != nil else { throw .noFile }
        if syncsFolder { disk.syncFolder() }
    }

    /// The length of a file; `nil` if there is none.
    func length(of name: String) -> Int? { disk.files[name]?.octets.count }

    /// An operation is about to be done.
    ///
    /// - Parameter before: the part that is still done if it is the last step of the process.
    fileprivate func step(_ before: () -> Void = {}) throws(DiskError) {
        if isSevered { throw .failure }
        let (isLast, losesPower) = disk.takeStep()
        if isLast {
            before()
            isSevered = true
            disk.world.note("disk: its process ends in the middle of something")
            if losesPower { disk.losePower() }
            onCrash()
            throw .failure
        }
        if disk.world.random.happens(disk.failures) { throw .failure }
    }
}

/// A file that a process has open.
final class DiskHandle {
    private let session: DiskSession
    private let file: SyncedFile
    /// Whether the folder has to be synced with the file, because the file is new.
    private var syncsFolder: Bool

    fileprivate init(_ session: DiskSession, _ file: SyncedFile, syncsFolder: Bool) {
        self.session = session
        self.file = file
        self.syncsFolder = syncsFolder
    }

    var length: Int { file.octets.count }

    /// Reads up to `count` octets: as many as there are.
    func read(_ count: Int, at offset: Int) throws(DiskError) -> ArraySlice<UInt8> {
        if session.isSevered || session.disk.world.random.happens(session.disk.failures) { throw .failure }
        return file.octets.dropFirst(offset).prefix(count)
    }

    func write(_ octets: [UInt8], at offset: Int) throws(DiskError) {
        let disk = session.disk
        try session.step {
            let part = disk.world.random.below(octets.count + 1)
            if part > 0 { file.write(Array(octets.prefix(part)), at: offset) }
        }
        let growth = max(0, offset + octets.count - file.octets.count)
        if let room = disk.room, growth > room {
            let part = octets.count - (growth - room)
            if part > 0 { file.write(Array(octets.prefix(part)), at: offset) }
            disk.room = 0
            throw .noSpace
        }
        disk.room = disk.room.map { $0 - growth }
        file.write(octets, at: offset)
    }

    func truncate(to length: Int) throws(DiskError) {
        try session.step()
        file.truncate(to: length)
    }

    func sync() throws(DiskError) {
        try session.step()
        file.sync()
        if syncsFolder { session.disk.syncFolder() }
        syncsFolder = false
    }
}
