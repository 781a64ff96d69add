import Engine
import HeapModule

/// All checks of this node, without threads and sockets: it says which runs begin, takes their results, and says what
/// changes. Pure: time is passed in.
struct CheckerCore: Sendable {
    /// What is to be done outside, in this order.
    struct Effects: Sendable {
        /// Runs that end without a result.
        var interrupted: [UInt64] = []
        /// Runs that begin.
        var started: [UInt64] = []
        var transitions: [CheckTransition] = []
        var removals: [CheckRemoval] = []
        /// Instances whose observations have changed; `nil`: they are gone.
        var observed: [(id: String, checks: [CheckObservation]?)] = []
        var holds: [CutOffDetector.Change] = []
    }

    private struct Deadline: Comparable, Sendable {
        var time: ContinuousClock.Instant
        var task: UInt64

        static func < (one: Deadline, other: Deadline) -> Bool { one.time < other.time }
    }

    /// When nobody has called for so long the process did not run.
    private static let longestTurn = Duration.seconds(5)
    /// A removal that has not happened is asked for again.
    private static let removalPatience = Duration.seconds(30)

    private let targets: CheckTargets
    private var schedule: CheckSchedule
    private var detector: CutOffDetector
    private var tasks: [UInt64: CheckTask] = [:]
    /// The tasks of each instance, in the order of its checks.
    private var instances: [String: [UInt64]] = [:]
    /// Deadlines that are met without a run. One counts only if its task is still queued for that time. The task's
    /// present deadline may be later by then.
    private var deadlines = Heap<Deadline>()
    /// Tasks under way, and whether their failures count: not if the process was stopped meanwhile.
    private var running: [UInt64: Bool] = [:]
    private var lastTask: UInt64 = 0
    private var lastTurn: ContinuousClock.Instant?
    private var effects = Effects()

    /// - Parameters:
    ///   - share: `heartbeat.mass_expiry_brake`.
    ///   - minimum: of targets that must have passed before the checker takes itself for cut off.
    ///   - seed: any number, another one on each node.
    init(
        maximumConcurrent: Int, targets: CheckTargets, share: Double,
        minimum: CutOffDetector.Minimum = CutOffDetector.Minimum(), seed: UInt64
    ) {
        schedule = CheckSchedule(maximumConcurrent: maximumConcurrent, seed: seed)
        detector = CutOffDetector(share: share, minimum: minimum)
        self.targets = targets
    }

    /// The number of checks.
    var count: Int { tasks.count }
    /// Whether the checker takes itself for cut off.
    var isHolding: Bool { detector.isHolding }

    /// The task, which a run needs.
    func task(_ id: UInt64) -> CheckTask? { tasks[id] }

    /// Takes over an instance, or its new registration. Checks that are as they were go on.
    mutating func adopt(_ assignment: CheckAssignment, now: Moment) {
        var old: [String: UInt64] = [:]
        for id in instances.removeValue(forKey: assignment.id) ?? [] {
            if let task = tasks[id] { old[task.check.name] = id }
        }
        var ids: [UInt64] = []
        for check in assignment.checks {
            if let id = old[check.name], tasks[id]?.isSame(as: assignment, check) == true {
                old[check.name] = nil
                ids.append(id)
                renew(id, assignment)
            } else {
                ids.append(add(CheckTask(assignment, check, now: now), now: now.monotonic))
            }
        }
        for id in old.values { drop(id) }
        if ids.isEmpty {
            effects.observed.append((assignment.id, nil))
        } else {
            instances[assignment.id] = ids
            observe(assignment.id)
        }
    }

    /// Gives up an instance.
    mutating func remove(_ instance: String) {
        guard let ids = instances.removeValue(forKey: instance) else { return }
        for id in ids { drop(id) }
        effects.observed.append((instance, nil))
    }

    /// Takes a result from outside.
    mutating func report(
        _ instance: String, _ check: String, _ status: CheckStatus, output: String, now: Moment
    ) -> ReportOutcome {
        guard let id = instances[instance]?.first(where: { tasks[$0]?.check.name == check }), var task = tasks[id]
        else { return .unknown }
        if let ttl = task.check.ttl {
            task.state.replace(with: status)
            task.reportDeadline = now.monotonic.advanced(by: ttl)
        } else {
            task.state.report(status)
        }
        (task.seen.output, task.seen.duration, task.seen.checkedAt) = (output, nil, now.wall)
        let observation = settle(id, &task, now)
        observe(instance)
        return .taken(observation)
    }

    /// Takes the result of a run.
    mutating func finish(_ id: UInt64, _ result: CheckResult, now: Moment) {
        let counts = running.removeValue(forKey: id) ?? false
        schedule.finish(id, duration: result.duration, isSilent: result.outcome == .silence)
        guard var task = tasks[id], result.outcome != .none, counts || result.outcome == .success else {
            if result.outcome == .none { note(result.output, id) }
            return
        }
        let isSuccess = result.outcome == .success
        let wasCritical = task.state.own == .critical
        if isSuccess { task.hasPassed = true }
        // At first the failure only counts: the hold that it may begin must keep it from having an effect.
        task.state.take(isSuccess: isSuccess, rise: task.check.rise, fall: task.check.fall, isHeld: true)
        var standing = task.standing(after: result.outcome, wasCritical: wasCritical)
        // Those that became critical before the hold began count on: without them there might be too few, and the hold
        // would end while nothing is reached.
        if detector.isHolding, task.standing == .failing, standing == .uncounted { standing = .failing }
        detector.move(task.address, from: task.standing, to: standing)
        task.standing = standing
        tasks[id] = task
        evaluate(now)
        task = tasks[id] ?? task
        if !detector.isHolding { task.state.confirm(fall: task.check.fall) }
        task.seen.output = result.output
        (task.seen.duration, task.seen.checkedAt) = (result.duration, now.wall)
        _ = settle(id, &task, now)
        observe(task.instance)
    }

    /// Notes that the process did not run for a while: nobody is to suffer for it. Failures of the runs under way don't
    /// count, and deadlines are later.
    mutating func notePause(_ pause: Duration, now: Moment) {
        lastTurn = now.monotonic
        for id in running.keys { running[id] = false }
        for (id, task) in tasks where task.reportDeadline != nil || task.criticalSince != nil {
            var task = task
            if let ttl = task.check.ttl, task.reportDeadline != nil {
                task.reportDeadline = now.monotonic.advanced(by: ttl)
            }
            task.criticalSince = task.criticalSince?.advanced(by: pause)
            tasks[id] = task
        }
    }

    /// Does what is due, and hands over everything that is to be done outside.
    mutating func turn(now: Moment) -> Effects {
        if let lastTurn, lastTurn.duration(to: now.monotonic) > Self.longestTurn {
            notePause(lastTurn.duration(to: now.monotonic), now: now)
        }
        lastTurn = now.monotonic
        evaluate(now)
        while let first = deadlines.min, first.time <= now.monotonic {
            deadlines.removeMin()
            meet(first, now)
        }
        let turn = schedule.turn(now: now.monotonic)
        for id in turn.interrupted {
            running[id] = nil
            effects.interrupted.append(id)
        }
        for id in turn.started { begin(id) }
        defer { effects = Effects() }
        return effects
    }

    /// When ``turn(now:)`` should be called again at the latest; it must be called at least once a second.
    mutating func nextTurn() -> ContinuousClock.Instant? {
        [schedule.nextTurn(), deadlines.min?.time, detector.deadline].compactMap { $0 }.min()
    }

    private mutating func add(_ new: CheckTask, now: ContinuousClock.Instant) -> UInt64 {
        lastTask += 1
        var task = new
        if task.check.ttl == nil {
            if let problem = targets.problem(with: task.address) {
                task.seen.output = problem
            } else {
                if task.hasPassed { task.standing = .passing }
                detector.move(task.address, from: .uncounted, to: task.standing)
                schedule.add(lastTask, interval: task.check.interval, now: now)
            }
        }
        queue(lastTask, &task)
        tasks[lastTask] = task
        return lastTask
    }

    /// Has a task go on under a new assignment. What was told under the old one may not have arrived.
    private mutating func renew(_ id: UInt64, _ assignment: CheckAssignment) {
        guard var task = tasks[id] else { return }
        task.assignment = assignment.number
        tasks[id] = task
        let known = assignment.statuses[task.check.name]?.status ?? task.check.initial
        if known == task.seen.status { return }
        effects.transitions.append(
            CheckTransition(id: task.instance, check: task.seen, old: known, assignment: task.assignment))
    }

    private mutating func drop(_ id: UInt64) {
        guard let task = tasks.removeValue(forKey: id) else { return }
        schedule.remove(id)
        if running.removeValue(forKey: id) != nil { effects.interrupted.append(id) }
        detector.move(task.address, from: task.standing, to: .uncounted)
    }

    private mutating func begin(_ id: UInt64) {
        running[id] = true
        effects.started.append(id)
    }

    /// Keeps a task, and notes the change of its status.
    @discardableResult
    private mutating func settle(_ id: UInt64, _ task: inout CheckTask, _ now: Moment) -> CheckObservation {
        if let old = task.settle(now: now) {
            effects.transitions.append(
                CheckTransition(id: task.instance, check: task.seen, old: old, assignment: task.assignment))
        }
        queue(id, &task)
        tasks[id] = task
        return task.seen
    }

    private mutating func note(_ output: String, _ id: UInt64) {
        guard let instance = tasks[id]?.instance else { return }
        tasks[id]?.seen.output = output
        observe(instance)
    }

    private mutating func observe(_ instance: String) {
        guard let ids = instances[instance] else { return }
        effects.observed.append((instance, ids.compactMap { tasks[$0]?.seen }))
    }

    private mutating func queue(_ id: UInt64, _ task: inout CheckTask) {
        guard let deadline = task.deadline, task.queuedFor.map({ deadline < $0 }) ?? true else { return }
        task.queuedFor = deadline
        deadlines.insert(Deadline(time: deadline, task: id))
        if deadlines.count > 2 * tasks.count + 1024 {
            deadlines = Heap(deadlines.unordered.filter { tasks[$0.task]?.queuedFor == $0.time })
        }
    }

    /// Does what is due of a task.
    private mutating func meet(_ due: Deadline, _ now: Moment) {
        let id = due.task
        guard var task = tasks[id], task.queuedFor == due.time else { return }
        task.queuedFor = nil
        if let deadline = task.reportDeadline, deadline <= now.monotonic {
            task.reportDeadline = nil
            task.state.replace(with: .critical)
            task.seen.output = "no result within \((task.check.ttl ?? .zero).configurationText)"
            (task.seen.duration, task.seen.checkedAt) = (nil, now.wall)
            settle(id, &task, now)
            observe(task.instance)
            return
        }
        if let deadline = task.removalDeadline, deadline <= now.monotonic, let after = task.check.deregisterAfter {
            if detector.isHolding || task.check.ttl == nil && task.seen.checkedAt == nil {
                // Nobody knows whether it passes by now.
                task.criticalSince = now.monotonic.advanced(by: .seconds(1) - after)
            } else {
                let reason = "check '\(task.check.name)' critical for \(after.configurationText): \(task.seen.output)"
                effects.removals.append(
                    CheckRemoval(
                        id: task.instance, check: task.check.name, reason: reason, assignment: task.assignment))
                // The instance stays known until its removal is done.
                task.criticalSince = now.monotonic.advanced(by: Self.removalPatience - after)
            }
        }
        queue(id, &task)
        tasks[id] = task
    }

    private mutating func evaluate(_ now: Moment) {
        guard let change = detector.evaluate(now: now.monotonic) else { return }
        effects.holds.append(change)
        // When the targets come back, the next run of each decides: most of those that failed are back too. But when
        // the time is over, what was counted has its effect at once.
        guard change == .timedOut else { return }
        // In the order in which they came, so that a seed's run is the same each time.
        for (id, task) in tasks.sorted(by: { $0.key < $1.key }) where task.state.isFailing {
            var task = task
            task.state.release(fall: task.check.fall)
            if task.state.status == task.seen.status { continue }
            settle(id, &task, now)
            observe(task.instance)
        }
    }
}
