import Engine

@testable import ControlPlane

/// A zone as the data plane would have it after all publications: what DNS answers.
final class SimulatedZone: ZoneSink, @unchecked Sendable {
    private let process: SimulatedProcess
    private let sabotage: Sabotage?
    private(set) var names: [String: NameContent] = [:]
    private var generation: UInt64 = 0
    /// Is told of every publication.
    var onPublication: () -> Void = {}

    init(_ process: SimulatedProcess, _ sabotage: Sabotage?) {
        self.process = process
        self.sabotage = sabotage
    }

    /// What it answers otherwise than it has to, with what is in a view.
    func problem(_ store: any Store) -> String? {
        let expected = store.expectedNames
        let wrong = Set(names.keys).union(expected.keys).sorted().first { names[$0] != expected[$0] }
        return wrong.map { name in
            let (found, wanted) = (
                names[name].map { "\($0)" } ?? "nothing", expected[name].map { "\($0)" } ?? "nothing"
            )
            return "DNS does not say what the registry does: of \(name) \(found), not \(wanted)"
        }
    }

    func publish(_ update: ZoneUpdate) throws(EngineError) -> UInt64 {
        generation += 1
        if sabotage == .answerBeforeDNS {
            process.world.after(.milliseconds(20), process) { [self] in apply(update) }
        } else {
            apply(update)
        }
        onPublication()
        return generation
    }

    private func apply(_ update: ZoneUpdate) {
        for change in update.changes {
            names[change.name] = change.content == .absent ? nil : change.content
        }
    }
}

extension Store {
    /// What DNS has to answer with what is in the view.
    var expectedNames: [String: NameContent] {
        var names: [String: NameContent] = [:]
        for summary in serviceSummaries(after: nil, limit: .max) {
            let instances = instances(ofService: summary.name).map { PublishedInstance($0) }
            let changes = ServiceRecords.changes(service: summary.name, instances: instances, policy: RecordPolicy())
            for change in changes where change.content != .absent { names[change.name] = change.content }
        }
        return names
    }
}
