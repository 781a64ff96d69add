@testable import ControlPlane
import HeapModule

/// Virtual time, and everything that happens in it, on the one thread that calls ``run(until:)``.
///
/// Nothing here waits: when no job is ready, time jumps to the next event. Which of the jobs that are ready runs next is
/// drawn from the seed, so that a seed is one interleaving, and always the same.
final class World: @unchecked Sendable {
    /// Something that is to happen at a time.
    private struct Event: Comparable {
        let at: Microseconds
        /// Events of one time happen in the order in which they were asked for.
        let order: UInt64
        /// Who does it: not while it is paused. `nil`: nobody of whom that could be said.
        let process: SimulatedProcess?
        let action: () -> Void

        static func < (one: Event, other: Event) -> Bool {
            one.at == other.at ? one.order < other.order : one.at < other.at
        }

        static func == (one: Event, other: Event) -> Bool { one.order == other.order }
    }

    /// Jobs and events at one time: more are an endless loop.
    private static let maximumStepsAtOnce = 200_000

    /// The real time that virtual time is counted from: whatever it is, only differences are looked at.
    let origin = ContinuousClock.now
    private(set) var now: Microseconds = 0
    var random: SplitMix64
    var trace = Trace()
    /// What was found to be wrong first; nothing happens after it.
    private(set) var failure: String?
    private var isFinishing = false
    private var events = Heap<Event>()
    private var eventCount: UInt64 = 0
    private var processes: [SimulatedProcess] = []

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
    }

    func add(_ process: SimulatedProcess) { processes.append(process) }

    /// Has something happen later.
    func after(_ delay: Microseconds, _ process: SimulatedProcess? = nil, _ action: @escaping () -> Void) {
        eventCount += 1
        events.insert(Event(at: now + max(0, delay), order: eventCount, process: process, action: action))
    }

    /// Lets time pass, until there is a failure or `end` has come.
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

    /// Runs one of the jobs that are ready.
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

    /// Lets go of everything, once nobody has anything to do any more: jobs alone still run.
    func finish() {
        isFinishing = true
        var steps = 0
        while steps < Self.maximumStepsAtOnce, runJob() { steps += 1 }
        events = Heap()
        processes = []
    }

    /// Something is as it must not be.
    func fail(_ reason: String) {
        if failure != nil || isFinishing { return }
        failure = reason
        note("FAILED: \(reason)")
    }

    /// Notes what happens, for whoever has to find out why it failed.
    func note(_ text: String) { trace.add(now, text) }

    /// The present moment on a machine whose clock is wrong by `offset`.
    func moment(offset: Microseconds) -> Moment {
        Moment(
            monotonic: origin + .microseconds(now),
            wall: WallTime(millisecondsSince1970: 1_800_000_000_000 + (now + offset) / 1000))
    }
}

/// Of virtual time.
typealias Microseconds = Int64

extension Microseconds {
    static func milliseconds(_ count: Int64) -> Microseconds { count * 1000 }
    static func seconds(_ count: Int64) -> Microseconds { count * 1_000_000 }

    init(_ duration: Duration) {
        self = duration.components.seconds * 1_000_000 + duration.components.attoseconds / 1_000_000_000_000
    }
}
