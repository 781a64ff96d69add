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

    private struct Term: Sendable {
        var begin: ContinuousClock.Instant
        var end: ContinuousClock.Instant
    }

    private let duration: Duration
    private let maximum: Int
    /// The names, and the grace time of each.
    private var terms: [String: Term] = [:]
    /// The names by that time, including entries that are outdated.
    private var queue = Heap<Entry>()

    /// No names.
    ///
    /// - Parameters:
    ///   - duration: the grace time unless another is said; zero: none.
    ///   - maximum: how many names there may be.
    init(_ duration: Duration, maximum: Int = maximumNames) {
        self.duration = duration
        self.maximum = maximum
    }

    /// Whether there are no names.
    var isEmpty: Bool { terms.isEmpty }

    /// The number of entries, including outdated ones.
    var entryCount: Int { queue.count }

    /// Whether a name is in its grace time.
    func contains(_ name: String) -> Bool { terms[name] != nil }

    /// When the grace time of a name ends; `nil`: it is in none.
    func end(of name: String) -> ContinuousClock.Instant? { terms[name]?.end }

    /// Begins the grace time of some names of a service, whose last healthy instance has gone.
    ///
    /// - Parameter duration: how long it is; `nil`: as long as usual.
    mutating func begin(
        _ names: [String], of service: String, for duration: Duration? = nil, now: ContinuousClock.Instant
    ) {
        let duration = duration ?? self.duration
        guard duration > .zero else { return }
        let term = Term(begin: now, end: now + duration)
        for name in names where terms[name] == nil {
            terms[name] = term
            queue.insert(Entry(end: term.end, name: Name(service: service, text: name)))
        }
    }

    /// Makes the grace times of some services' names longer or shorter, as if they had begun like that. Those that are
    /// over by that are due.
    ///
    /// - Parameter durations: by service. This costs all names that are in a grace time.
    mutating func change(_ durations: [String: Duration]) {
        for entry in queue.unordered {
            guard let duration = durations[entry.name.service], let term = terms[entry.name.text],
                term.end == entry.end, term.begin + duration != term.end
            else { continue }
            let end = term.begin + duration
            terms[entry.name.text]?.end = end
            queue.insert(Entry(end: end, name: entry.name))
        }
    }

    /// Ends the grace time of a name that has a healthy instance again.
    mutating func leave(_ name: String) {
        guard terms.removeValue(forKey: name) != nil, queue.count > 2 * terms.count + 1024 else { return }
        let terms = terms
        queue = Heap(queue.unordered.filter { terms[$0.name.text]?.end == $0.end })
    }

    /// When to call ``takeDue(now:limit:)`` next; `nil`: there are no names.
    var nextEnd: ContinuousClock.Instant? { queue.min?.end }

    /// Whether there are too many names; the oldest leave at once then.
    var isOverfull: Bool { terms.count > maximum }

    /// Removes names whose grace time is over, or that there is no room for.
    ///
    /// - Parameter limit: how many at most.
    mutating func takeDue(now: ContinuousClock.Instant, limit: Int) -> [Name] {
        var due: [Name] = []
        while due.count < limit, let first = queue.min, first.end <= now || isOverfull {
            queue.removeMin()
            guard terms[first.name.text]?.end == first.end else { continue }
            terms[first.name.text] = nil
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
