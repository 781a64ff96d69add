import Synchronization

/// A question to all workers: what would each answer?
final class InspectionRequest: Sendable {
    /// The query: header and question.
    let query: [UInt8]
    let client: IPAddress?
    private let state: Mutex<State>

    private struct State: Sendable {
        var found: [Int: Inspection] = [:]
        let count: Int
        var completion: (@Sendable ([Inspection]) -> Void)?
    }

    /// - Parameters:
    ///   - count: the number of workers.
    ///   - completion: called once, by the last worker that answers.
    init(
        query: [UInt8], client: IPAddress?, count: Int, completion: @escaping @Sendable ([Inspection]) -> Void
    ) {
        self.query = query
        self.client = client
        state = Mutex(State(count: count, completion: completion))
    }

    /// Takes what a worker would answer.
    func take(_ inspection: Inspection, fromWorker number: Int) {
        let finished = state.withLock { state -> (@Sendable ([Inspection]) -> Void, [Inspection])? in
            state.found[number] = inspection
            guard state.found.count == state.count, let completion = state.completion.take() else { return nil }
            return (completion, state.found.sorted { $0.key < $1.key }.map(\.value))
        }
        if let (completion, inspections) = finished { completion(inspections) }
    }
}
