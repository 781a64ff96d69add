import Synchronization

/// The counts of one worker. Only its worker writes them, so counting is a plain load and store without a locked
/// instruction.
final class WorkerCounters: Sendable {
    /// The number of places; no fewer than there are counters.
    static let capacity = 64

    private let values = InlineArray<64, Atomic<UInt64>> { _ in Atomic(0) }

    /// Adds to a counter.
    @inline(__always)
    func count(_ counter: Counter, _ difference: UInt64 = 1) {
        let place = counter.rawValue & (Self.capacity &- 1)
        values[place].store(values[place].load(ordering: .relaxed) &+ difference, ordering: .relaxed)
    }

    /// Subtracts one from a counter.
    func uncount(_ counter: Counter) {
        count(counter, .max)
    }

    /// All present counts.
    var counts: [UInt64] { Counter.allCases.map { value(of: $0) } }

    /// Sets all counts back to what they were. Only its worker may call this.
    func restore(_ counts: [UInt64]) {
        for (counter, value) in zip(Counter.allCases, counts) where self.value(of: counter) != value {
            count(counter, value &- self.value(of: counter))
        }
    }

    /// The present count; may be called on any thread.
    func value(of counter: Counter) -> UInt64 {
        values[counter.rawValue & (Self.capacity &- 1)].load(ordering: .relaxed)
    }
}
