import Engine
import HeapModule

/// Names whose last healthy instance has gone a short while ago, for whatever reason. It is pure.
///
/// A client that learns at once that such a name does not exist drops the addresses that it has, and may not ask again
/// soon, although another instance is about to register. So these names answer SERVFAIL for a while.
struct EmptyGrace: Sendable {
    /// The most names; beyond that, those with the oldest grace time leave early.
    static let maximumNames = 1_000_000

    /// A name.
    struct Name: Sendable {
        /// The service that it belongs to.
        var service: String
        /// The name relative to the zone's origin.
        var text: String
    }

    private struct Entry: Sendable, Comparable {
        var end: ContinuousClock.Instant
        var name: Name

        static func < (left: Entry, right: Entry) -> Bool { left.end < right.end }
        static func == (left: Entry, right: Entry) -> Bool { left.end == right.end }
    }

    private let duration: Duration
    private let maximum: Int
    /// The names, and when the grace time of each ends.
    private var ends: [String: ContinuousClock.Instant] = [:]
    /// The names by that time, including entries that are outdated.
    private var queue = Heap<Entry>()

    /// No names.
    ///
    /// - Parameters:
    ///   - duration: the grace time; zero: none.
    ///   - maximum: how many names there may be.
    init(_ duration: Duration, maximum: Int = maximumNames) {
        self.duration = duration
        self.maximum = maximum
    }

    /// Whether there is any grace time.
    var isOn: Bool { duration > .zero }

    /// Whether there are no names.
    var isEmpty: Bool { ends.isEmpty }

    /// The number of entries, including outdated ones.
    var entryCount: Int { queue.count }

    /// Whether a name is in its grace time.
    func contains(_ name: String) -> Bool { ends[name] != nil }

    /// Begins the grace time of some names of a service, whose last healthy instance has gone.
    mutating func begin(_ names: [String], of service: String, now: ContinuousClock.Instant) {
        guard isOn else { return }
        let end = now + duration
        for name in names where ends[name] == nil {
            ends[name] = end
            queue.insert(Entry(end: end, name: Name(service: service, text: name)))
        }
    }

    /// Ends the grace time of a name that has a healthy instance again.
    mutating func leave(_ name: String) {
        guard ends.removeValue(forKey: name) != nil, queue.count > 2 * ends.count + 1024 else { return }
        let ends = ends
        queue = Heap(queue.unordered.filter { ends[$0.name.text] == $0.end })
    }

    /// When to call ``takeDue(now:limit:)`` next; `nil`: there are no names.
    var nextEnd: ContinuousClock.Instant? { queue.min?.end }

    /// Whether there are too many names; the oldest leave at once then.
    var isOverfull: Bool { ends.count > maximum }

    /// Removes names whose grace time is over, or that there is no room for.
    ///
    /// - Parameter limit: how many at most.
    mutating func takeDue(now: ContinuousClock.Instant, limit: Int) -> [Name] {
        var due: [Name] = []
        while due.count < limit, let first = queue.min, first.end <= now || isOverfull {
            queue.removeMin()
            guard ends[first.name.text] == first.end else { continue }
            ends[first.name.text] = nil
            due.append(first.name)
        }
        return due
    }
}

extension NameContent {
    /// Whether there is a record, which only healthy instances have.
    var isAnswered: Bool {
        switch self {
        case .absent, .failure: false
        case .records(let sets): !sets.isEmpty
        case .changed: true
        }
    }
}
