import Engine
import HeapModule

/// Names whose last healthy instance has gone a short while ago, however it went: pure.
///
/// A client that is told at once that such a name does not exist throws away what it has, and may not ask again before
/// long, though another instance is about to come. So these names are failures for a while.
struct EmptyGrace: Sendable {
    /// Names at most: when there are more, those that are in it longest leave early.
    static let maximumNames = 1_000_000

    /// A name.
    struct Name: Sendable {
        /// Whose it is.
        var service: String
        /// Relative to the zone's origin.
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
    /// The names and when each of them leaves.
    private var ends: [String: ContinuousClock.Instant] = [:]
    /// The same by time, with entries of names that have left or have another end by now.
    private var queue = Heap<Entry>()

    /// No names.
    ///
    /// - Parameters:
    ///   - duration: how long each name is in it; zero: not at all.
    ///   - maximum: how many there may be.
    init(_ duration: Duration, maximum: Int = maximumNames) {
        self.duration = duration
        self.maximum = maximum
    }

    /// Whether names can be in it at all.
    var isOn: Bool { duration > .zero }

    /// Whether there is none.
    var isEmpty: Bool { ends.isEmpty }

    /// Entries held, outdated ones included.
    var entryCount: Int { queue.count }

    /// Whether a name is in it.
    func contains(_ name: String) -> Bool { ends[name] != nil }

    /// The last healthy instance of some names of a service has gone.
    mutating func begin(_ names: [String], of service: String, now: ContinuousClock.Instant) {
        guard isOn else { return }
        let end = now + duration
        for name in names where ends[name] == nil {
            ends[name] = end
            queue.insert(Entry(end: end, name: Name(service: service, text: name)))
        }
    }

    /// A name has a healthy instance again.
    mutating func leave(_ name: String) {
        guard ends.removeValue(forKey: name) != nil, queue.count > 2 * ends.count + 1024 else { return }
        let ends = ends
        queue = Heap(queue.unordered.filter { ends[$0.name.text] == $0.end })
    }

    /// When to call ``takeDue(now:limit:)`` next; `nil`: when there is another name.
    var nextEnd: ContinuousClock.Instant? { queue.min?.end }

    /// Whether there are more names than there may be: some leave at once then.
    var isOverfull: Bool { ends.count > maximum }

    /// Takes out names whose time is over, or that there is no room for.
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
    /// Whether there is a record: it is that of a healthy instance.
    var isAnswered: Bool {
        switch self {
        case .absent, .failure: false
        case .records(let sets): !sets.isEmpty
        case .changed: true
        }
    }
}
