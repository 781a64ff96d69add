import HeapModule

/// Deadlines of instances, the earliest first.
///
/// The queue is lazy: a heartbeat does not touch it. The caller compares a removed entry with the instance's present
/// deadline, and puts it back if that is later.
struct ExpiryQueue: Sendable {
    /// One deadline.
    struct Entry: Sendable, Comparable {
        var deadline: ContinuousClock.Instant
        var id: String

        static func < (left: Entry, right: Entry) -> Bool { left.deadline < right.deadline }
    }

    private var heap = Heap<Entry>()

    /// The number of entries, including outdated ones.
    var count: Int { heap.count }

    /// Adds a deadline.
    mutating func insert(_ entry: Entry) {
        heap.insert(entry)
    }

    /// Removes the earliest entry if its deadline has come.
    mutating func popDue(at now: ContinuousClock.Instant) -> Entry? {
        guard let first = heap.min, first.deadline <= now else { return nil }
        return heap.removeMin()
    }

    /// Replaces all entries.
    mutating func replaceAll(with entries: [Entry]) {
        heap = Heap(entries)
    }
}
