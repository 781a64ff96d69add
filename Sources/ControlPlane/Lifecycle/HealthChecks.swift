import Logging
import ServiceLifecycle
import Synchronization

/// Connects the health checks with the registry: it tells the checker which instances to check, and the registry what
/// the checks have found.
final class HealthChecks: CheckObserver, Service {
    /// What the checker has found, until the registry has it. There is one entry for each check at most.
    private struct Outbox {
        struct Key: Hashable {
            var id: String
            var check: String
        }

        struct Entry {
            var report: CheckReport
            /// The number of the assignment that it belongs to.
            var assignment: UInt64
        }

        var reports: [Key: Entry] = [:]
        /// Instances to be removed, each with what that was decided about.
        var removals: [String: (removal: CheckRemoval, expulsion: Expulsion)] = [:]
    }

    /// How many results are passed to the registry at once.
    private static let reportsAtOnce = 1024
    /// How long to wait if the registry takes none.
    private static let patience = Duration.milliseconds(200)

    private let registry: Registry
    private let logger: Logger
    private let timers: any Timers
    private let ledger = Mutex(CheckLedger())
    private let outbox = Mutex(Outbox())
    /// Has an element when the checker has found something, for which ``passOn()`` is to be called.
    let found: AsyncStream<Void>
    private let notice: AsyncStream<Void>.Continuation
    private let checker: Mutex<(any CheckRunner)?>

    /// Starts the checker, which has nothing to do yet.
    ///
    /// - Throws: if the system is out of threads, memory or file descriptors.
    convenience init(_ settings: Checker.Settings, registry: Registry, logger: Logger) throws(StartError) {
        try self.init(registry: registry, logger: logger) { handlers throws(StartError) in
            do throws(Checker.StartFailure) {
                return try Checker(settings, handlers)
            } catch {
                throw StartError("checks: \(error.reason)")
            }
        }
    }

    /// Takes a checker, which has nothing to do yet.
    ///
    /// - Parameter makeChecker: makes it; it is given what it has to call.
    init(
        registry: Registry, timers: any Timers = EventLoopTimers.shared, logger: Logger,
        makeChecker: (Checker.Handlers) throws(StartError) -> any CheckRunner
    ) throws(StartError) {
        self.registry = registry
        self.timers = timers
        self.logger = logger
        (found, notice) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        checker = Mutex(nil)
        let new = try makeChecker(
            Checker.Handlers(
                onTransitions: { [weak self] in self?.take($0) },
                onRemovals: { [weak self] in self?.take($0) },
                onHold: { [weak self] in self?.take($0) }))
        checker.withLock { $0 = new }
    }

    /// Takes over the instances that are loaded. Later changes come through ``note(_:)``.
    func begin() {
        registry.listeners.add { [weak self] changes, _ in self?.note(changes) }
        let known = registry.checkedInstances()
        carryOut { $0.begin(with: known) }
    }

    /// Takes in changes of instances, after DNS has them.
    func note(_ changes: ArraySlice<InstanceChange>) {
        if !changes.contains(where: \.concernsChecks) { return }
        carryOut { $0.note(changes) }
    }

    /// Takes in which nodes share the work.
    func share(among nodes: CheckerNodes?) {
        carryOut { $0.share(among: nodes) }
        let counts = ledger.withLock { $0.counts }
        logger.info(
            "health checks are shared",
            metadata: [
                "nodes": "\(nodes?.all.count ?? 1)", "instances": "\(counts.all)", "here": "\(counts.here)",
            ])
    }

    /// Passes on what the checker finds until the server stops.
    func run() async {
        await withTaskGroup { group in
            group.addTask { [registry] in await registry.store.watchNodes { [weak self] in self?.share(among: $0) } }
            for await _ in found.cancelOnGracefulShutdown() { await passOn() }
            group.cancelAll()
        }
        let last = checker.withLock { $0.take() }
        last?.shutdown()
    }

    // MARK: Reads

    func observations(ofInstance id: String) -> [CheckRecord] {
        let seen = checker.withLock { $0 }?.observations(of: id) ?? []
        return seen.map { CheckRecord($0) }
    }

    func note(_ report: CheckReport, ofInstance id: String) {
        guard ledger.withLock({ $0.isOwn(id) }) else { return }
        let checker = checker.withLock { $0 }
        checker?.report(id, report.name, report.status, output: report.output) { _ in }
    }

    var summary: CheckSummary {
        let numbers = checker.withLock { $0 }?.statistics ?? Checker.Statistics()
        let (counts, nodes) = ledger.withLock { ($0.counts, $0.nodes?.all.count ?? 1) }
        return CheckSummary(
            instances: counts.all, instancesHere: counts.here, nodes: nodes, checks: numbers.checks,
            running: numbers.running, succeeded: numbers.succeeded, failed: numbers.failed,
            runs: numbers.runs, isCutOff: numbers.isHolding)
    }

    // MARK: To the checker

    /// Changes the ledger and tells the checker, in the same order.
    private func carryOut(_ change: (inout CheckLedger) -> CheckLedger.Orders) {
        guard let checker = checker.withLock({ $0 }) else { return }
        ledger.withLock { ledger in
            let orders = change(&ledger)
            if !orders.removed.isEmpty { checker.remove(orders.removed) }
            if !orders.adopted.isEmpty { checker.adopt(orders.adopted) }
            for report in orders.reports {
                checker.report(report.id, report.check, report.status, output: report.output) { _ in }
            }
        }
    }

    // MARK: From the checker, on its thread

    private func take(_ transitions: [CheckTransition]) {
        outbox.withLock { outbox in
            for transition in transitions {
                outbox.reports[Outbox.Key(id: transition.id, check: transition.check.name)] = Outbox.Entry(
                    report: CheckReport(transition), assignment: transition.assignment)
            }
        }
        notice.yield()
    }

    private func take(_ removals: [CheckRemoval]) {
        // What is known now, and not what is known when the registry's turn comes: that may have begun anew.
        let decided = ledger.withLock { ledger in
            removals.compactMap { removal in ledger.expulsion(for: removal).map { (removal, $0) } }
        }
        outbox.withLock { outbox in
            for each in decided { outbox.removals[each.0.id] = each }
        }
        notice.yield()
    }

    private func take(_ change: CutOffDetector.Change) {
        log(change)
    }

    // MARK: To the registry

    /// Passes on what the checker has found, until the registry has it all or takes none.
    func passOn() async {
        while true {
            let (taken, removals) = outbox.withLock { outbox in
                let reports = outbox.reports.prefix(Self.reportsAtOnce)
                for (key, _) in reports { outbox.reports[key] = nil }
                defer { outbox.removals = [:] }
                // In an order that does not differ from run to run.
                return (
                    reports.sorted { ($0.key.id, $0.key.check) < ($1.key.id, $1.key.check) },
                    outbox.removals.values.sorted { $0.removal.id < $1.removal.id }
                )
            }
            if taken.isEmpty, removals.isEmpty { return }
            let entries = ledger.withLock { ledger in
                taken.filter { ledger.passOn($0.value.report, of: $0.key.id, assignment: $0.value.assignment) }
            }
            let commands =
                entries.map { key, entry in RegistryCommand.report(id: key.id, entry.report) }
                + removals.map { .expel($0.expulsion) }
            do throws(RegistryError) {
                let outcomes = try await registry.submit(commands)
                for ((key, entry), outcome) in zip(entries, outcomes) { correct(entry, key, after: outcome) }
                for ((removal, _), outcome) in zip(removals, outcomes.dropFirst(entries.count)) {
                    guard case .deregistered = outcome else { continue }
                    // The change itself has a line of its own.
                    logger.debug(
                        "a check has removed an instance",
                        metadata: ["id": "\(removal.id)", "reason": "\(removal.reason)"])
                }
            } catch {
                if error == .stopping { return }
                // Newer results of the same checks may have come meanwhile.
                outbox.withLock { outbox in
                    for (key, entry) in entries where outbox.reports[key] == nil { outbox.reports[key] = entry }
                }
                timers.once(after: Self.patience) { [notice] in notice.yield() }
                return
            }
        }
    }

    /// Tells the checker if the registry has another status by now than the one that was passed on. It knew something
    /// newer, or the same group of changes took the instance to another place and back, where its checks begin anew.
    /// The checker would not pass its own on again before it changes.
    private func correct(_ passedOn: Outbox.Entry, _ key: Outbox.Key, after outcome: CommandOutcome) {
        guard case .reported = outcome, let registered = registry.instance(id: key.id),
            let check = registered.instance.checks.first(where: { $0.name == key.check })
        else { return }
        let known = registered.result(of: check)
        if known.status == passedOn.report.status { return }
        // What it has found since then is passed on next, and a new assignment has told it what is known.
        if outbox.withLock({ $0.reports[key] != nil }) { return }
        guard ledger.withLock({ $0.isPresent(passedOn.assignment, of: key.id) }) else { return }
        let checker = checker.withLock { $0 }
        checker?.report(key.id, key.check, known.status, output: known.output) { _ in }
    }

    private func log(_ change: CutOffDetector.Change) {
        switch change {
        case .began(let failing, let targets):
            logger.warning(
                "most checks fail at once: this server takes itself for cut off, and statuses stay as they are",
                metadata: ["failing": "\(failing)", "of": "\(targets)"])
        case .recovered:
            logger.notice("statuses follow the checks again: fewer fail")
        case .timedOut:
            logger.warning("statuses follow the checks again: most still fail, but two minutes are over")
        }
    }
}

extension InstanceChange {
    /// Whether one of its instances has checks.
    fileprivate var concernsChecks: Bool {
        old?.instance.checks.isEmpty == false || new?.instance.checks.isEmpty == false
    }
}

extension CheckReport {
    /// The result that has changed a status.
    init(_ transition: CheckTransition) {
        let check = transition.check
        self.init(
            name: check.name, status: check.status, output: check.output,
            durationMilliseconds: check.duration.map { Int(clamping: $0.milliseconds) },
            time: check.checkedAt ?? check.since)
    }
}

extension CheckRecord {
    /// What the checker knows of a check.
    init(_ seen: CheckObservation) {
        self.init(
            name: seen.name, status: seen.status, since: seen.since, output: seen.output,
            durationMilliseconds: seen.duration.map { Int(clamping: $0.milliseconds) }, checkedAt: seen.checkedAt)
    }
}
