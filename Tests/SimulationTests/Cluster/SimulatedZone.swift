import Engine

@testable import ControlPlane

/// A zone as the engine would have it after all publications: what DNS answers.
final class SimulatedZone: ZoneSink, @unchecked Sendable {
    private let process: SimulatedProcess
    private let sabotage: Sabotage?
    private let policy: RecordPolicy
    private(set) var names: [String: NameContent] = [:]
    /// How the records of each name rotate, if that was said.
    private var strategies: [String: RotationStrategyName] = [:]
    private var grace: GraceCheck
    /// Whether its process is dead.
    var isOver = false
    private var generation: UInt64 = 0
    /// Called after every publication.
    var onPublication: () -> Void = {}

    /// - Parameter lateness: how much longer than configured names may be failures.
    init(_ process: SimulatedProcess, _ policy: RecordPolicy, lateness: Microseconds, _ sabotage: Sabotage?) {
        self.process = process
        self.policy = policy
        self.sabotage = sabotage
        grace = GraceCheck(Microseconds(policy.emptyGrace), lateness: lateness)
    }

    private var world: World { process.world }

    /// A name that it answers differently from what the view requires.
    func problem(_ registry: Registry) -> String? {
        // Another task may have changed the view, and will publish that.
        if registry.publication.index < registry.store.view.withTable({ $0.changeIndex }) { return nil }
        let (expected, strategies) = registry.store.expectedNames(policy)
        for name in Set(names.keys).union(expected.keys).sorted() {
            let (found, wanted) = (names[name] ?? .absent, expected[name] ?? .absent)
            if found == wanted, !found.isAnswered || self.strategies[name] == strategies[name] { continue }
            if found == wanted { return "\(name) rotates otherwise than its policy says" }
            if found == .failure, !wanted.isAnswered, grace.mayBeFailure(name, world.now) { continue }
            return "DNS does not say what the registry does: of \(name) \(found), not \(wanted)"
        }
        return nil
    }

    func publish(_ update: ZoneUpdate) throws(EngineError) -> UInt64 {
        generation += 1
        if sabotage == .answerBeforeDNS {
            world.after(.milliseconds(20), process) { [self] in apply(update) }
        } else {
            apply(update)
        }
        onPublication()
        return generation
    }

    private func apply(_ update: ZoneUpdate) {
        for change in update.changes {
            let name = change.name
            let problem = grace.problem(name, from: names[name] ?? .absent, to: change.content, world.now)
            if let problem, !isOver { world.fail("DNS: \(problem)") }
            strategies[name] = change.strategy
            names[name] = change.content == .absent ? nil : change.content
            if change.content == .failure { checkEnd(of: name) }
        }
    }

    /// Checks a name when it may no longer be a failure, after everything due at that time is done.
    private func checkEnd(of name: String) {
        guard let end = grace.end(of: name) else { return }
        world.after(end + grace.lateness - world.now, process) { [self] in
            world.after(.milliseconds(1), process) { [self] in
                if isOver || grace.end(of: name) != end || names[name] != .failure { return }
                world.fail("DNS: \(name) is still a failure")
            }
        }
    }
}

extension Store {
    /// What DNS must answer for the content of the view, apart from names that are failures for a while.
    func expectedNames(
        _ settings: RecordPolicy
    ) -> (names: [String: NameContent], strategies: [String: RotationStrategyName]) {
        var names: [String: NameContent] = [:]
        var strategies: [String: RotationStrategyName] = [:]
        let policies = view.withTable { $0.policies }
        for summary in serviceSummaries(after: nil, limit: .max) {
            let registered = instances(ofService: summary.name)
            let policy = settings.with(policies[summary.name])
            let isProtected = policy.protects(
                healthy: registered.count(where: \.isHealthy), critical: registered.count { $0.status == .critical })
            let instances = registered.map { PublishedInstance($0, policy, isProtected: isProtected) }
            let changes = ServiceRecords.changes(service: summary.name, instances: instances, policy: policy)
            for change in changes where change.content != .absent {
                names[change.name] = change.content
                strategies[change.name] = change.strategy
            }
        }
        return (names, strategies)
    }
}
