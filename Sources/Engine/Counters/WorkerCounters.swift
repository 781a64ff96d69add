import Synchronization

/// The counts of one worker. Only its worker writes them, so counting is a plain load and store without a locked
/// instruction.
final class WorkerCounters: Sendable {
    /// The number of places; no fewer than there are counters.
    static let capacity = 64

    private let values = InlineArray<64, Atomic<UInt64>> { _ in Atomic(0) }

    /// Types with a higher number, but ANY, are counted together.
    private static let highestType: UInt16 = 65
    private static let otherTypesPlace = 66
    private static let anyPlace = 67
    private let types = InlineArray<128, Atomic<UInt64>> { _ in Atomic(0) }

    /// Adds to a counter.
    @inline(__always)
    func count(_ counter: Counter, _ difference: UInt64 = 1) {
        let place = counter.rawValue & (Self.capacity &- 1)
        values[place].store(values[place].load(ordering: .relaxed) &+ difference, ordering: .relaxed)
    }

    /// Counts a query of a type; 0: it has no readable question.
    @inline(__always)
    func count(type: UInt16) {
        let place = Self.place(ofType: type)
        types[place].store(types[place].load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    @inline(__always)
    private static func place(ofType type: UInt16) -> Int {
        if type <= highestType { return Int(type) & 127 }
        return type == 255 ? anyPlace : otherTypesPlace
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

    /// The queries of a type that has a count of its own; may be called on any thread.
    func queries(ofType type: UInt16) -> UInt64 { types[Self.place(ofType: type)].load(ordering: .relaxed) }

    /// The queries of all types; may be called on any thread.
    var queriesOfAllTypes: UInt64 {
        (0...Self.anyPlace).reduce(0) { $0 &+ types[$1].load(ordering: .relaxed) }
    }

    /// The present count; may be called on any thread.
    func value(of counter: Counter) -> UInt64 {
        values[counter.rawValue & (Self.capacity &- 1)].load(ordering: .relaxed)
    }
}
