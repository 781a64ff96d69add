/// The loop of the checker's thread: it passes commands and results to the ``CheckerCore``, and lets libcurl do the
/// runs.
final class CheckerLoop {
    private static let longestWait = Duration.milliseconds(250)
    /// When a wait takes so much longer the process did not run.
    private static let longestOvershoot = Duration.milliseconds(500)
    /// Commands that are done in one turn.
    private static let commandsPerTurn = 1000
    /// Runs that begin in one turn: each costs some 50 µs.
    private static let startsBetweenEvents = 64

    private let settings: Checker.Settings
    private let time: TimeSource
    private let inbox: CheckerInbox
    private let observed: CheckerObservations
    private let multi: ProbeMulti
    private let handlers: Checker.Handlers
    private var core: CheckerCore
    private var running: [UInt64: ProbeEasy] = [:]
    /// Idle handles for the next runs.
    private var idle: [ProbeEasy] = []
    private var commands: ArraySlice<CheckerInbox.Command> = []
    private var completions: [() -> Void] = []
    private var statistics = Checker.Statistics()

    init(
        _ settings: Checker.Settings, time: TimeSource, seed: UInt64, inbox: CheckerInbox,
        observed: CheckerObservations, multi: ProbeMulti, _ handlers: Checker.Handlers
    ) {
        self.settings = settings
        self.time = time
        self.inbox = inbox
        self.observed = observed
        self.multi = multi
        self.handlers = handlers
        core = CheckerCore(
            maximumConcurrent: settings.maximumConcurrent, targets: settings.targets, share: settings.cutOffShare,
            seed: seed)
    }

    /// Works until the inbox is closed.
    func run() {
        while takeCommands() {
            var effects = core.turn(now: time.now())
            for id in effects.interrupted { interrupt(id) }
            for (place, id) in effects.started.enumerated() {
                start(id)
                // Others must not wait until all have started.
                if place % Self.startsBetweenEvents == Self.startsBetweenEvents - 1 { multi.turn(atMost: .zero) }
            }
            deliver(&effects)
            let now = time.now().monotonic
            let wait = commands.isEmpty ? core.nextTurn().map { now.duration(to: $0) } ?? Self.longestWait : .zero
            let overshoot = multi.turn(atMost: min(wait, Self.longestWait))
            if overshoot > Self.longestOvershoot { core.notePause(overshoot, now: time.now()) }
            while let (easy, code) = multi.nextFinished() {
                multi.remove(easy)
                let now = time.now()
                if let (run, result) = easy.finish(code, now: now.monotonic) {
                    running[run.id] = nil
                    finish(run.id, run.check, result, now)
                }
                idle.append(easy)
            }
        }
        for easy in running.values { multi.remove(easy) }
    }

    /// Does some of the waiting commands.
    ///
    /// - Returns: `false` if the thread is to end.
    private func takeCommands() -> Bool {
        if commands.isEmpty {
            guard let new = inbox.take() else { return false }
            commands = new[...]
        }
        let now = time.now()
        for command in commands.prefix(Self.commandsPerTurn) {
            switch command {
            case .adopt(let assignment): core.adopt(assignment, now: now)
            case .remove(let id): core.remove(id)
            case .report(let id, let check, let status, let output, let completion):
                let outcome = core.report(id, check, status, output: output, now: now)
                completions.append { completion(outcome) }
            }
        }
        commands = commands.dropFirst(Self.commandsPerTurn)
        return true
    }

    private func start(_ id: UInt64) {
        let now = time.now()
        guard let task = core.task(id),
            let request = ProbeRequest(task.check, address: task.address, instancePort: task.port)
        else { return }
        func fail(_ reason: String) {
            let result = CheckResult(outcome: .none, output: "not run: \(reason)", duration: .zero)
            finish(id, task.check, result, now)
        }
        guard let easy = idle.popLast() ?? ProbeEasy() else { return fail("no memory") }
        let run = ProbeRun(id: id, check: task.check, request: request, startedAt: now.monotonic)
        if let problem = easy.begin(run, authorities: settings.authorities) {
            easy.forget()
            return fail(problem)
        }
        guard multi.add(easy) else { return fail("no memory") }
        running[id] = easy
    }

    private func interrupt(_ id: UInt64) {
        guard let easy = running.removeValue(forKey: id) else { return }
        multi.remove(easy)
        easy.forget()
        idle.append(easy)
        statistics.unfinished += 1
    }

    private func finish(_ id: UInt64, _ check: Check, _ result: CheckResult, _ now: Moment) {
        let kind: CheckRuns.Result
        switch result.outcome {
        case .success:
            statistics.succeeded += 1
            kind = .success
        case .failure:
            statistics.failed += 1
            kind = .failure
        case .silence:
            statistics.failed += 1
            kind = .timeout
        case .none:
            statistics.unfinished += 1
            kind = .unfinished
        }
        if let type = check.runType { statistics.runs.add(kind, type, seconds: result.duration / .seconds(1)) }
        core.finish(id, result, now: now)
    }

    /// Passes on what has changed: first what readers see, then what the registry is told.
    private func deliver(_ effects: inout CheckerCore.Effects) {
        (statistics.checks, statistics.running) = (core.count, running.count)
        statistics.isHolding = core.isHolding
        observed.update(effects.observed, statistics)
        for hold in effects.holds { handlers.onHold(hold) }
        if !effects.transitions.isEmpty { handlers.onTransitions(effects.transitions) }
        if !effects.removals.isEmpty { handlers.onRemovals(effects.removals) }
        let completions = completions
        self.completions = []
        for completion in completions { completion() }
    }
}
