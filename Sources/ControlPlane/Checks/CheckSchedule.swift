import HeapModule

/// When which check runs. Pure: time is passed in.
///
/// Runs of a check begin at fixed times, one interval apart; the first is somewhere in the interval after it was added.
/// These places are spread evenly, however many checks are added at once. One that could begin only after more than
/// half an interval is not made up for: the next one is left out instead.
///
/// At most ``maximumConcurrent`` runs are under way. Checks that kept silent in their last run (their time was over)
/// have a lane of their own, with at most half of the places. So they do not delay others. When many fall silent at
/// once, all places are taken by runs that wait. Then those of them give way that have taken much longer than usual:
/// they are interrupted, and begin again in the lane of the silent.
struct CheckSchedule: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// What is to happen now.
    struct Turn: Sendable, Equatable {
        /// Runs that give way: they have no result, and must not be reported as finished.
        var interrupted: [UInt64] = []
        /// Checks whose runs begin.
        var started: [UInt64] = []
    }

    /// How long a run must have taken before it may give way; also, twice as long as the last one that was answered.
    static let patience = Duration.milliseconds(100)

    private enum State: Equatable { case idle, waiting, running }

    private struct Entry: Sendable {
        let interval: Duration
        /// When the next run should begin.
        var due: Instant
        var state = State.idle
        var isSilent = false
        /// How long the last run took that was answered.
        var usual = Duration.zero
        /// Changes whenever a place in a heap becomes outdated.
        var stamp: UInt32 = 0
    }

    /// A place in a heap. It is outdated when the check has another stamp, or is gone.
    private struct Place: Comparable, Sendable {
        var time: Instant
        var id: UInt64
        var stamp: UInt32

        static func < (one: Place, other: Place) -> Bool { one.time < other.time }
    }

    /// Runs under way at most; 1 or more.
    let maximumConcurrent: Int
    private var entries: [UInt64: Entry] = [:]
    private var dues = Heap<Place>()
    private var waiting = Heap<Place>()
    private var waitingSilent = Heap<Place>()
    /// Running checks that are not silent, by the time from which they may give way.
    private var interruptible = Heap<Place>()
    private var running = 0
    private var runningSilent = 0
    private var countOfWaitingSilent = 0
    /// Where in its interval the next check begins; 0 to 1.
    private var place: Double
    private var random: UInt64

    /// - Parameter seed: any number, another one on each node.
    init(maximumConcurrent: Int, seed: UInt64) {
        self.maximumConcurrent = max(1, maximumConcurrent)
        random = seed | 1
        place = 0
        place = fraction()
    }

    /// The number of checks.
    var count: Int { entries.count }
    /// The number of runs under way.
    var runningCount: Int { running }

    /// Adds a check, which must not be there.
    mutating func add(_ id: UInt64, interval: Duration, now: Instant) {
        // Multiples of the golden ratio: any number of them in a row is spread evenly.
        place = (place + 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
        let phase = (place + 0.1 * fraction()).truncatingRemainder(dividingBy: 1)
        let due = now.advanced(by: interval * phase)
        entries[id] = Entry(interval: interval, due: due)
        dues.insert(Place(time: due, id: id, stamp: 0))
        Self.dropOutdated(&dues, entries)
    }

    /// Removes a check; the caller ends its run, if one is under way.
    mutating func remove(_ id: UInt64) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        leave(entry)
    }

    /// Begins and interrupts runs.
    mutating func turn(now: Instant) -> Turn {
        while let first = dues.min, first.time <= now {
            dues.removeMin()
            guard var entry = Self.current(first, entries) else { continue }
            entry.state = .waiting
            enqueue(first.id, &entry)
            entries[first.id] = entry
        }
        var turn = Turn()
        while let next = Self.first(of: &waiting, entries) {
            if isFull {
                guard let victim = Self.first(of: &interruptible, entries), victim.time <= now else { break }
                interruptible.removeMin()
                interrupt(victim.id)
                turn.interrupted.append(victim.id)
            }
            waiting.removeMin()
            start(next.id, now)
            turn.started.append(next.id)
        }
        while running < maximumConcurrent, runningSilent < max(1, maximumConcurrent / 2),
            let next = Self.first(of: &waitingSilent, entries)
        {
            waitingSilent.removeMin()
            start(next.id, now)
            turn.started.append(next.id)
        }
        return turn
    }

    /// Notes that a run has ended, with a result or without.
    ///
    /// - Parameters:
    ///   - duration: how long it took.
    ///   - isSilent: whether its time was over.
    mutating func finish(_ id: UInt64, duration: Duration, isSilent: Bool) {
        guard var entry = entries[id], entry.state == .running else { return }
        leave(entry)
        entry.state = .idle
        entry.isSilent = isSilent
        if !isSilent { entry.usual = duration }
        entry.stamp &+= 1
        dues.insert(Place(time: entry.due, id: id, stamp: entry.stamp))
        entries[id] = entry
        Self.dropOutdated(&dues, entries)
    }

    /// When ``turn(now:)`` should be called again; a finished run may be a reason to call it earlier.
    mutating func nextTurn() -> Instant? {
        let due = Self.first(of: &dues, entries)?.time
        guard Self.first(of: &waiting, entries) != nil, let victim = Self.first(of: &interruptible, entries)?.time
        else { return due }
        return min(due ?? victim, victim)
    }

    /// Whether no place is free for a check that is not silent. Those that are have a quarter of the places in any
    /// case.
    private var isFull: Bool {
        let kept = min(maximumConcurrent / 4, runningSilent + countOfWaitingSilent)
        return running - runningSilent + max(runningSilent, kept) >= maximumConcurrent
    }

    private mutating func enqueue(_ id: UInt64, _ entry: inout Entry) {
        entry.stamp &+= 1
        let place = Place(time: entry.due, id: id, stamp: entry.stamp)
        if entry.isSilent {
            countOfWaitingSilent += 1
            waitingSilent.insert(place)
            Self.dropOutdated(&waitingSilent, entries)
        } else {
            waiting.insert(place)
            Self.dropOutdated(&waiting, entries)
        }
    }

    private mutating func start(_ id: UInt64, _ now: Instant) {
        guard var entry = entries[id] else { return }
        if entry.isSilent {
            countOfWaitingSilent -= 1
            runningSilent += 1
        }
        running += 1
        entry.state = .running
        entry.stamp &+= 1
        // The first of its times that is at least half an interval away.
        let missed = entry.due.duration(to: now.advanced(by: entry.interval / 2)) / entry.interval
        entry.due = entry.due.advanced(by: entry.interval * max(1, Int(missed.rounded(.up))))
        entries[id] = entry
        guard !entry.isSilent else { return }
        let patience = max(Self.patience, entry.usual * 2)
        interruptible.insert(Place(time: now.advanced(by: patience), id: id, stamp: entry.stamp))
        Self.dropOutdated(&interruptible, entries)
    }

    private mutating func interrupt(_ id: UInt64) {
        guard var entry = entries[id] else { return }
        leave(entry)
        entry.state = .waiting
        entry.isSilent = true
        enqueue(id, &entry)
        entries[id] = entry
    }

    /// Gives up the places that a check has, running or waiting.
    private mutating func leave(_ entry: Entry) {
        switch entry.state {
        case .idle: break
        case .waiting: if entry.isSilent { countOfWaitingSilent -= 1 }
        case .running:
            running -= 1
            if entry.isSilent { runningSilent -= 1 }
        }
    }

    // These take the entries apart from the schedule: a copy of it, even for a moment, would have a heap copied as soon
    // as it changes.

    private static func current(_ place: Place, _ entries: [UInt64: Entry]) -> Entry? {
        entries[place.id].flatMap { $0.stamp == place.stamp ? $0 : nil }
    }

    /// The first place that is not outdated; those before it are dropped.
    private static func first(of heap: inout Heap<Place>, _ entries: [UInt64: Entry]) -> Place? {
        while let first = heap.min {
            if current(first, entries) != nil { return first }
            heap.removeMin()
        }
        return nil
    }

    /// Keeps a heap from growing with checks that come and go.
    private static func dropOutdated(_ heap: inout Heap<Place>, _ entries: [UInt64: Entry]) {
        guard heap.count > 2 * entries.count + 1024 else { return }
        heap = Heap(heap.unordered.filter { current($0, entries) != nil })
    }

    /// 0 to 1 (xorshift64*, Vigna 2016).
    private mutating func fraction() -> Double {
        random ^= random >> 12
        random ^= random << 25
        random ^= random >> 27
        return Double((random &* 2_685_821_657_736_338_717) >> 11) / 9_007_199_254_740_992
    }
}
