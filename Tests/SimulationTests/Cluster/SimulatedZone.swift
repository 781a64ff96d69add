import Engine

@testable import ControlPlane

/// A zone as the engine would have it after all publications: what DNS answers.
final class SimulatedZone: ZoneSink, @unchecked Sendable {
    private let process: SimulatedProcess
    private let sabotage: Sabotage?
    private let policy: RecordPolicy
    private(set) var names: [String: NameContent] = [:]
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
    func problem(_ store: any Store) -> String? {
        let expected = store.expectedNames(policy)
        for name in Set(names.keys).union(expected.keys).sorted() {
            let (found, wanted) = (names[name] ?? .absent, expected[name] ?? .absent)
            if found == wanted || found == .failure && !wanted.isAnswered && grace.mayBeFailure(name, world.now) {
                continue
            }
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
    func expectedNames(_ policy: RecordPolicy) -> [String: NameContent] {
        var names: [String: NameContent] = [:]
        for summary in serviceSummaries(after: nil, limit: .max) {
            let instances = instances(ofService: summary.name).map { PublishedInstance($0) }
            let changes = ServiceRecords.changes(service: summary.name, instances: instances, policy: policy)
            for change in changes where change.content != .absent { names[change.name] = change.content }
        }
        return names
    }
}
