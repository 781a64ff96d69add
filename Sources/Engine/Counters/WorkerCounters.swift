import Synchronization

/// What one worker counts. Only its worker writes, so that counting is a plain load and store: no locked instruction.
final class WorkerCounters: Sendable {
    /// Places: no fewer than there are counters.
    static let capacity = 64

    private let values = InlineArray<64, Atomic<UInt64>> { _ in Atomic(0) }

    /// Adds to a counter.
    @inline(__always)
    func count(_ counter: Counter, _ difference: UInt64 = 1) {
        let place = counter.rawValue & (Self.capacity &- 1)
        values[place].store(values[place].load(ordering: .relaxed) &+ difference, ordering: .relaxed)
    }

    /// Takes one from a counter.
    func uncount(_ counter: Counter) {
        count(counter, .max)
    }

    /// What was counted so far; from any thread.
    func value(of counter: Counter) -> UInt64 {
        values[counter.rawValue & (Self.capacity &- 1)].load(ordering: .relaxed)
    }
}
