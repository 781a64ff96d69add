@testable import ControlPlane

/// The checker's thread in virtual time: ``CheckerCore`` decides everything, as in ``CheckerLoop``. Only what the runs
/// find is simulated.
final class SimulatedChecker: CheckRunner, @unchecked Sendable {
    private static let longestWait = Microseconds.milliseconds(250)
    /// When a wait takes so much longer the process did not run.
    private static let longestOvershoot = Microseconds.milliseconds(500)

    private let node: Int
    private let process: SimulatedProcess
    private let targets: SimulatedTargets
    private let handlers: Checker.Handlers
    private let sabotage: Sabotage?
    private var core: CheckerCore
    private var commands: [(SimulatedChecker) -> Void] = []
    private var cutOff: CutOffCheck
    /// The number of the run that each task has under way.
    private var runs: [UInt64: Int] = [:]
    private var runCount = 0
    private var finished: [(task: UInt64, run: Int, result: CheckResult)] = []
    private var observed: [String: [CheckObservation]] = [:]
    private var completions: [() -> Void] = []
    /// When the next turn is due.
    private var nextTurn = Microseconds.max
    /// Called with the instances that are to be removed, before the registry's side is.
    var onRemovals: ([CheckRemoval]) -> Void = { _ in }
    /// Whether its process is dead.
    var isOver = false

    /// - Parameter share: `heartbeat.mass_expiry_brake`.
    init(
        _ node: Int, _ process: SimulatedProcess, _ targets: SimulatedTargets, share: Double,
        _ handlers: Checker.Handlers, _ sabotage: Sabotage?
    ) {
        self.node = node
        self.process = process
        self.targets = targets
        self.handlers = handlers
        self.sabotage = sabotage
        core = CheckerCore(
            maximumConcurrent: 100, targets: CheckTargets(), share: sabotage == .cutOffIsNotNoticed ? 1 : share,
            minimum: CutOffCheck.minimum, seed: process.world.random.next())
        cutOff = CutOffCheck(share: share)
    }

    private var world: World { process.world }

    // MARK: What the registry's side asks for

    func adopt(_ assignments: [CheckAssignment]) {
        // They come in the order of a set, which differs between runs.
        for assignment in assignments.sorted(by: { $0.id < $1.id }) {
            append {
                $0.core.adopt(assignment, now: $0.process.time.now())
                $0.cutOff.noteAssignment(of: assignment.id, isRun: assignment.checks.contains { $0.ttl == nil })
            }
        }
    }

    func remove(_ ids: [String]) {
        for id in ids.sorted() {
            append {
                $0.core.remove(id)
                $0.cutOff.noteAssignment(of: id, isRun: false)
            }
        }
    }

    func report(
        _ id: String, _ check: String, _ status: CheckStatus, output: String,
        completion: @escaping @Sendable (ReportOutcome) -> Void
    ) {
        append { checker in
            let outcome = checker.core.report(id, check, status, output: output, now: checker.process.time.now())
            checker.completions.append { completion(outcome) }
        }
    }

    func observations(of id: String) -> [CheckObservation]? { observed[id] }

    var statistics: Checker.Statistics { Checker.Statistics(checks: core.count, running: runs.count) }

    func shutdown() { isOver = true }

    private func append(_ command: @escaping (SimulatedChecker) -> Void) {
        commands.append(command)
        plan(after: 0)
    }

    // MARK: The loop

    private func plan(after delay: Microseconds) {
        let time = world.now + delay
        guard time < nextTurn else { return }
        nextTurn = time
        world.after(delay, process) { [self] in
            if nextTurn == time, !isOver { turn(overshoot: world.now - time) }
        }
    }

    private func turn(overshoot: Microseconds) {
        nextTurn = .max
        let now = process.time.now()
        if overshoot > Self.longestOvershoot {
            core.notePause(.microseconds(overshoot), now: now)
            cutOff.notePause()
        }
        let ended = finished
        finished = []
        for (task, run, result) in ended where runs[task] == run {
            runs[task] = nil
            finish(task, result, now)
        }
        let waiting = commands
        commands = []
        for command in waiting { command(self) }
        let effects = core.turn(now: now)
        for task in effects.interrupted { runs[task] = nil }
        for task in effects.started { start(task) }
        for (id, checks) in effects.observed { observed[id] = checks }
        if !effects.transitions.isEmpty { pass(effects.transitions) }
        if sabotage == .removalsComeTooSoon { removeTooSoon(effects.transitions) }
        if !effects.removals.isEmpty {
            onRemovals(effects.removals)
            handlers.onRemovals(effects.removals)
        }
        let done = completions
        completions = []
        for completion in done { completion() }
        if core.count == 0 { return }
        // Rounded up: what is due in less than a microsecond is not due yet.
        let wait = core.nextTurn().map { Microseconds(now.monotonic.duration(to: $0)) + 1 } ?? Self.longestWait
        plan(after: min(max(wait, 0), Self.longestWait))
    }

    private func start(_ id: UInt64) {
        guard let task = core.task(id) else { return }
        runCount += 1
        let run = runCount
        runs[id] = run
        var duration = world.random.within(.milliseconds(1) ... .milliseconds(20))
        let outcome: CheckResult.Outcome
        switch targets.isCutOff(node) ? .silent : targets[task.address] {
        case .up: outcome = .success
        case .down: outcome = .failure
        case .silent:
            outcome = .silence
            duration = Microseconds(task.check.timeout)
        }
        let result = CheckResult(outcome: outcome, output: "\(outcome)", duration: .microseconds(duration))
        world.after(duration, process) { [self] in
            finished.append((id, run, result))
            plan(after: 0)
        }
    }

    private func finish(_ id: UInt64, _ result: CheckResult, _ now: Moment) {
        let old = core.task(id)
        core.finish(id, result, now: now)
        guard let old, let new = core.task(id) else { return }
        let problem = cutOff.problem(
            old.address, isWell: result.outcome == .success && new.state.own != .critical,
            isCriticalNow: old.seen.status != .critical && new.seen.status == .critical,
            isCutOff: targets.isCutOff(node), isHolding: core.isHolding)
        if let problem { world.fail("node \(node): \(problem)") }
    }

    private func removeTooSoon(_ transitions: [CheckTransition]) {
        for transition in transitions where transition.check.status == .critical {
            let removal = CheckRemoval(
                id: transition.id, check: transition.check.name, reason: "", assignment: transition.assignment)
            world.after(.seconds(1), process) { [self] in if !isOver { handlers.onRemovals([removal]) } }
        }
    }

    private func pass(_ transitions: [CheckTransition]) {
        for transition in transitions {
            world.note("check \(transition.check.name) of \(transition.id) is \(transition.check.status)")
        }
        guard sabotage == .oldResultWins else { return handlers.onTransitions(transitions) }
        for transition in transitions {
            world.after(world.random.within(0 ... .seconds(4)), process) { [self] in
                if isOver { return }
                var late = transition
                late.check.checkedAt = process.time.now().wall
                handlers.onTransitions([late])
            }
        }
    }
}
