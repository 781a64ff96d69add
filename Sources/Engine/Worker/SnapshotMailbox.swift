import Synchronization

/// Passes snapshots and settings to a worker, and tells it to stop: the only place where other threads reach it.
final class SnapshotMailbox: Sendable {
    private let newest = Mutex<ZoneSnapshot?>(nil)
    private let generation = Atomic<UInt64>(0)
    private let settings = Mutex<ForwardingSettings?>(nil)
    private let largeUDP = Mutex<LargeUDP?>(nil)
    private let defence = Mutex<DefenceSettings?>(nil)
    private let queryLog = Mutex<QueryLogSettings?>(nil)
    private let inspections = Mutex<[InspectionRequest]>([])
    private let hasSettings = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
    private let looks = Atomic<UInt64>(0)
    private let wake: WakeSignal
    private let acknowledgements: WakeSignal

    /// - Parameter acknowledgements: the worker signals it for every snapshot that it has adopted.
    init(acknowledgements: WakeSignal) throws(EngineError) {
        wake = try WakeSignal(blocking: false)
        self.acknowledgements = acknowledgements
    }

    // MARK: The publisher's side

    /// Posts a snapshot; the worker must have adopted the one before.
    func post(_ snapshot: ZoneSnapshot) {
        newest.withLock { $0 = snapshot }
        generation.store(snapshot.generation, ordering: .releasing)
        wake.signal()
    }

    /// Posts settings; nobody waits until they are in use.
    func post(_ settings: ForwardingSettings) {
        self.settings.withLock { $0 = settings }
        hasSettings.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Posts which clients get large answers over UDP; nobody waits until that is in use.
    func post(_ largeUDP: LargeUDP) {
        self.largeUDP.withLock { $0 = largeUDP }
        hasSettings.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Posts how the engine defends itself; nobody waits until that is in use.
    func post(_ defence: DefenceSettings) {
        self.defence.withLock { $0 = defence }
        hasSettings.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Posts which queries go into the query log; nobody waits until that is in use.
    func post(_ queryLog: QueryLogSettings) {
        self.queryLog.withLock { $0 = queryLog }
        hasSettings.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Posts a question about what the worker would answer.
    func post(_ request: InspectionRequest) {
        inspections.withLock { $0.append(request) }
        hasSettings.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Tells the worker to stop.
    func requestStop() {
        stopping.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Makes the worker look here; several calls may lead to one look.
    func requestLook() { wake.signal() }

    /// How often the worker has looked here, which shows whether it is alive.
    var lookCount: UInt64 { looks.load(ordering: .relaxed) }

    // MARK: The worker's side

    /// A descriptor for the worker's loop to watch.
    var wakeDescriptor: Int32 { wake.descriptorNumber }

    /// Must be called when the loop was woken.
    func consumeWake() {
        wake.consume()
        looks.add(1, ordering: .relaxed)
    }

    /// The posted snapshot if it is newer than the one in use; costs one load if not.
    @inline(__always)
    func take(newerThan current: UInt64) -> ZoneSnapshot? {
        guard generation.load(ordering: .acquiring) > current else { return nil }
        return newest.withLock { $0.take() }
    }

    /// Whether settings, the clients that get large answers, or questions were posted since the last call; costs one
    /// load if not.
    @inline(__always)
    func takesSettings() -> Bool {
        guard hasSettings.load(ordering: .relaxed) else { return false }
        return hasSettings.exchange(false, ordering: .acquiring)
    }

    /// The posted settings if there are new ones. Only called after ``takesSettings()``.
    func takeSettings() -> ForwardingSettings? {
        settings.withLock { $0.take() }
    }

    /// The clients that get large answers over UDP, if that was posted. Only called after ``takesSettings()``.
    func takeLargeUDP() -> LargeUDP? {
        largeUDP.withLock { $0.take() }
    }

    /// How the engine defends itself, if that was posted. Only called after ``takesSettings()``.
    func takeDefence() -> DefenceSettings? {
        defence.withLock { $0.take() }
    }

    /// Which queries go into the query log, if that was posted. Only called after ``takesSettings()``.
    func takeQueryLog() -> QueryLogSettings? {
        queryLog.withLock { $0.take() }
    }

    /// The questions about what the worker would answer. Only called after ``takesSettings()``.
    func takeInspections() -> [InspectionRequest] {
        inspections.withLock { requests in
            defer { requests = [] }
            return requests
        }
    }

    /// Tells the publisher that the snapshot is in use.
    func acknowledge() {
        acknowledgements.signal()
    }

    /// Whether the worker has been told to stop.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }
}
