import Synchronization

/// Tells when memory that workers read without a lock may be freed (epoch-based reclamation, Fraser 2004).
///
/// A reader says when it begins and when it ends; in between it may use whatever it finds. A writer first makes an
/// object unreachable and then asks for a stamp; the object may be freed once every reader that began before the stamp
/// has ended. Beginning costs one store and one fence, once for a batch of queries; reading costs nothing.
///
/// It is a plain pointer, copied without touching a reference count; the cache owns the memory.
@safe
struct ReadEpochs: @unchecked Sendable {
    // Sendable: everything in the memory is atomic.

    /// The distance between epochs: each has cache lines of its own, so that readers do not slow each other down.
    private static let stride = 16
    /// The epoch of a reader that reads nothing.
    private static let idle: UInt64 = 0

    /// The current epoch, then that of each reader.
    private let epochs: UnsafeMutablePointer<Atomic<UInt64>>
    private let readerCount: Int

    /// - Parameter readerCount: readers are numbered 0..<`readerCount`.
    init(readerCount: Int) {
        self.readerCount = readerCount
        let placeCount = (1 + readerCount) * Self.stride
        // Unsafe: freed by deallocate(); every place is initialized.
        unsafe epochs = .allocate(capacity: placeCount)
        for place in 0..<placeCount { unsafe (epochs + place).initialize(to: Atomic(place == 0 ? 1 : Self.idle)) }
    }

    /// Frees the memory.
    func deallocate() {
        unsafe epochs.deallocate()
    }

    private func place(of reader: Int) -> Int { (1 &+ reader) &* Self.stride }

    /// Begins reading. What the reader finds from now on stays valid until ``end(_:)``.
    @inline(__always)
    func begin(_ reader: Int) {
        guard reader >= 0, reader < readerCount else { return }
        // Unsafe: within bounds by the line above.
        unsafe epochs[place(of: reader)].store(epochs[0].load(ordering: .acquiring), ordering: .relaxed)
        // Before anything is read: either the writer sees this reader, or the reader does not see what the writer
        // removed.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// Ends reading: the reader uses nothing of it any more.
    @inline(__always)
    func end(_ reader: Int) {
        guard reader >= 0, reader < readerCount else { return }
        unsafe epochs[place(of: reader)].store(Self.idle, ordering: .releasing)
    }

    /// The stamp for an object that has just become unreachable.
    func stamp() -> UInt64 {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return unsafe epochs[0].wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue
    }

    /// Objects with a stamp below this may be freed.
    func horizon() -> UInt64 {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        var horizon = UInt64.max
        for reader in 0..<readerCount {
            let epoch = unsafe epochs[place(of: reader)].load(ordering: .acquiring)
            if epoch != Self.idle { horizon = min(horizon, epoch) }
        }
        return horizon
    }
}
