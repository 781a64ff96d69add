/// Things to be done at some time, the earliest first: a binary heap. Nothing is taken out before it is due; who no
/// longer wants to be called finds out then.
struct DeadlineHeap<Element> {
    private var entries: [(time: MonotonicTime, element: Element)] = []

    /// When the first is due.
    var earliest: MonotonicTime? { entries.first?.time }

    /// How many there are.
    var count: Int { entries.count }

    /// All, in no order.
    var elements: [Element] { entries.map(\.element) }

    /// Adds one.
    mutating func insert(_ element: Element, at time: MonotonicTime) {
        entries.append((time, element))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].time < entries[parent].time else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes out the first if it is due at `now`.
    mutating func popDue(at now: MonotonicTime) -> (time: MonotonicTime, element: Element)? {
        guard let first = entries.first, first.time <= now else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
                if entries[child].time < entries[least].time { least = child }
            }
            guard least != parent else { return first }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
