import Synchronization

/// How a worker is handed snapshots, and told to stop: the one place where another thread reaches it.
final class SnapshotMailbox: Sendable {
    private let newest = Mutex<ZoneSnapshot?>(nil)
    private let generation = Atomic<UInt64>(0)
    private let settings = Mutex<ForwardingSettings?>(nil)
    private let largeUDP = Mutex<LargeUDP?>(nil)
    private let stopping = Atomic<Bool>(false)
    private let looks = Atomic<UInt64>(0)
    private let wake: WakeSignal
    private let acknowledgements: WakeSignal

    /// - Parameter acknowledgements: signalled by the worker for every snapshot that it has adopted.
    init(acknowledgements: WakeSignal) throws(EngineError) {
        wake = try WakeSignal(blocking: false)
        self.acknowledgements = acknowledgements
    }

    // MARK: The publisher's side

    /// Hands over a snapshot; the one before must have been adopted.
    func post(_ snapshot: ZoneSnapshot) {
        newest.withLock { $0 = snapshot }
        generation.store(snapshot.generation, ordering: .releasing)
        wake.signal()
    }

    /// Hands over settings; nobody waits until they are in use.
    func post(_ settings: ForwardingSettings) {
        self.settings.withLock { $0 = settings }
        wake.signal()
    }

    /// Hands over who gets large answers over UDP; nobody waits until it is in use.
    func post(_ largeUDP: LargeUDP) {
        self.largeUDP.withLock { $0 = largeUDP }
        wake.signal()
    }

    /// Tells the worker to finish.
    func requestStop() {
        stopping.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Has the worker look here, as often as it is called or less.
    func requestLook() { wake.signal() }

    /// How often the worker has looked here: does it still?
    var lookCount: UInt64 { looks.load(ordering: .relaxed) }

    // MARK: The worker's side

    /// For the worker's loop to watch.
    var wakeDescriptor: Int32 { wake.descriptorNumber }

    /// To be called when the loop was woken.
    func consumeWake() {
        wake.consume()
        looks.add(1, ordering: .relaxed)
    }

    /// The posted snapshot, if it is newer than the one in use: one load when it is not.
    @inline(__always)
    func take(newerThan current: UInt64) -> ZoneSnapshot? {
        guard generation.load(ordering: .acquiring) > current else { return nil }
        return newest.withLock { $0.take() }
    }

    /// The posted settings, if there are new ones. Asked when woken alone.
    func takeSettings() -> ForwardingSettings? {
        settings.withLock { $0.take() }
    }

    /// Who gets large answers over UDP, if that was posted. Asked when woken alone.
    func takeLargeUDP() -> LargeUDP? {
        largeUDP.withLock { $0.take() }
    }

    /// Tells the publisher that the snapshot is in use.
    func acknowledge() {
        acknowledgements.signal()
    }

    /// Whether the worker has been told to finish.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }
}
