@testable import ControlPlane
import HeapModule

/// Virtual time, and everything that happens in it, on the one thread that calls ``run(until:)``.
///
/// Nothing here waits: when no job is ready, time jumps to the next event. The seed decides which of the ready jobs
/// runs next. So a seed is one interleaving, and always the same one.
final class World: @unchecked Sendable {
    /// An action at a time.
    private struct Event: Comparable {
        let at: Microseconds
        /// Events of the same time happen in the order in which they were requested.
        let order: UInt64
        /// The process that does it, but not while it is paused. `nil`: no process does it.
        let process: SimulatedProcess?
        let action: () -> Void

        static func < (one: Event, other: Event) -> Bool {
            one.at == other.at ? one.order < other.order : one.at < other.at
        }

        static func == (one: Event, other: Event) -> Bool { one.order == other.order }
    }

    /// The most jobs and events at one time. More are an endless loop.
    private static let maximumStepsAtOnce = 200_000

    /// The real time from which virtual time counts. Its value does not matter, because only differences are used.
    let origin = ContinuousClock.now
    private(set) var now: Microseconds = 0
    var random: SplitMix64
    var trace = Trace()
    /// The first fault that was found. Nothing happens after it.
    private(set) var failure: String?
    private var isFinishing = false
    private var events = Heap<Event>()
    private var eventCount: UInt64 = 0
    private var processes: [SimulatedProcess] = []

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
    }

    func add(_ process: SimulatedProcess) { processes.append(process) }

    /// Plans an action for later.
    func after(_ delay: Microseconds, _ process: SimulatedProcess? = nil, _ action: @escaping () -> Void) {
        eventCount += 1
        events.insert(Event(at: now + max(0, delay), order: eventCount, process: process, action: action))
    }

    /// Lets time pass until there is a failure or `end` is reached.
    func run(until end: Microseconds) {
        var stepsAtOnce = 0
        while failure == nil {
            stepsAtOnce += 1
            if stepsAtOnce > Self.maximumStepsAtOnce { return fail("an endless loop at one time") }
            if runJob() { continue }
            guard let next = events.min, next.at <= end else { break }
            events.removeMin()
            if next.at > now {
                now = next.at
                stepsAtOnce = 0
            }
            if let process = next.process, process.isPaused {
                process.postpone(next.action)
            } else {
                next.action()
            }
        }
        if failure == nil { now = max(now, end) }
    }

    /// Runs one of the ready jobs.
    private func runJob() -> Bool {
        let ready = processes.reduce(0) { $0 + $1.readyCount }
        if ready == 0 { return false }
        var choice = ready == 1 ? 0 : random.below(ready)
        for process in processes {
            if choice < process.readyCount {
                process.runJob(choice)
                return true
            }
            choice -= process.readyCount
        }
        return false
    }

    /// Releases everything, once nobody has anything left to do. Only jobs still run.
    func finish() {
        isFinishing = true
        var steps = 0
        while steps < Self.maximumStepsAtOnce, runJob() { steps += 1 }
        events = Heap()
        processes = []
    }

    /// A fault was found.
    func fail(_ reason: String) {
        if failure != nil || isFinishing { return }
        failure = reason
        note("FAILED: \(reason)")
    }

    /// Records what happens, for whoever has to find out why a run failed.
    func note(_ text: String) { trace.add(now, text) }

    /// The current moment on a machine whose clock is wrong by `offset`.
    func moment(offset: Microseconds) -> Moment {
        Moment(
            monotonic: origin + .microseconds(now),
            wall: WallTime(millisecondsSince1970: 1_800_000_000_000 + (now + offset) / 1000))
    }
}

/// Virtual time, in microseconds.
typealias Microseconds = Int64

extension Microseconds {
    static func milliseconds(_ count: Int64) -> Microseconds { count * 1000 }
    static func seconds(_ count: Int64) -> Microseconds { count * 1_000_000 }

    init(_ duration: Duration) {
        self = duration.components.seconds * 1_000_000 + duration.components.attoseconds / 1_000_000_000_000
    }
}
