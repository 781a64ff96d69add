import HeapModule

/// Deadlines of instances, the earliest first.
///
/// Lazy: a heartbeat does not touch it. Whoever takes an entry out compares it with the instance's present deadline
/// and puts it back if that has moved.
struct ExpiryQueue: Sendable {
    /// One deadline.
    struct Entry: Sendable, Comparable {
        var deadline: ContinuousClock.Instant
        var id: String

        static func < (left: Entry, right: Entry) -> Bool { left.deadline < right.deadline }
    }

    private var heap = Heap<Entry>()

    /// Entries held, outdated ones included.
    var count: Int { heap.count }

    /// Adds a deadline.
    mutating func insert(_ entry: Entry) {
        heap.insert(entry)
    }

    /// Takes the earliest entry whose deadline has come.
    mutating func popDue(at now: ContinuousClock.Instant) -> Entry? {
        guard let first = heap.min, first.deadline <= now else { return nil }
        return heap.removeMin()
    }

    /// Replaces all entries.
    mutating func replaceAll(with entries: [Entry]) {
        heap = Heap(entries)
    }
}
