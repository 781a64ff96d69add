import Synchronization

/// The commands of one request, and the task that waits for them.
struct PendingCommit: Sendable {
    let commands: [RegistryCommand]
    /// Who asks for them; `nil`: this server itself.
    var requester: Requester?
    let continuation: CheckedContinuation<Result<[CommandOutcome], RegistryError>, Never>
    /// The outcomes so far: those of the first commands.
    var outcomes: [CommandOutcome] = []

    /// The commands that are left.
    var rest: ArraySlice<RegistryCommand> { commands.dropFirst(outcomes.count) }
}

/// The committer's next piece of work.
struct CommitWork: Sendable {
    /// Requests to be committed together.
    var group: [PendingCommit] = []
    /// The search for expired instances that is due, if any.
    var sweep: Sweep?
    /// Whether the grace time of names without healthy instances may be over.
    var isGraceOver = false
}

/// Changes on their way to the committer: any thread adds, one task removes.
final class CommitQueue: Sendable {
    /// How many commands may wait; with more, clients are told to come back.
    static let maximumCommands = 65_536
    /// The most commands in a group, unless a single request has more.
    static let maximumGroupCommands = 4096

    private struct State {
        var waiting: [PendingCommit] = []
        /// The index of the first element in `waiting` that was not taken yet.
        var first = 0
        var commandCount = 0
        var sweep: Sweep?
        var isGraceOver = false
        var isClosed = false
        var consumer: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// The number of commands that wait.
    var commandCount: Int { state.withLock { $0.commandCount } }

    /// Adds a request.
    ///
    /// - Throws: if the queue is full or closed; the continuation is not resumed then.
    func append(_ commit: PendingCommit) throws(RegistryError) {
        let (error, consumer) = state.withLock { state -> (RegistryError?, CheckedContinuation<Void, Never>?) in
            if state.isClosed { return (.stopping, nil) }
            if state.commandCount > 0, state.commandCount + commit.commands.count > Self.maximumCommands {
                return (.overloaded, nil)
            }
            state.waiting.append(commit)
            state.commandCount += commit.commands.count
            return (nil, state.consumer.take())
        }
        consumer?.resume()
        if let error { throw error }
    }

    /// Puts back requests that are not done. Those that were begun wait behind all others.
    func putBack(_ requests: [PendingCommit]) {
        if requests.isEmpty { return }
        state.withLock { state in
            state.waiting.replaceSubrange(..<state.first, with: requests.filter(\.outcomes.isEmpty))
            state.first = 0
            state.waiting += requests.filter { !$0.outcomes.isEmpty }
            state.commandCount += requests.reduce(0) { $0 + $1.rest.count }
        }
    }

    /// Requests a search for expired instances; requests that wait are merged.
    func requestSweep(_ sweep: Sweep) {
        let consumer = state.withLock { state in
            state.sweep = state.sweep?.merged(with: sweep) ?? sweep
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// Requests a check of the names whose grace time may be over.
    func requestGraceEnd() {
        let consumer = state.withLock { state in
            state.isGraceOver = true
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// Accepts nothing more; what is in the queue will still be taken.
    func close() {
        let consumer = state.withLock { state in
            state.isClosed = true
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// Takes the next piece of work, and waits until there is one.
    ///
    /// - Returns: `nil` if the queue is closed and empty.
    nonisolated(nonsending) func next() async -> CommitWork? {
        while true {
            let (work, isClosed) = takeWork()
            if let work { return work }
            if isClosed { return nil }
            await withCheckedContinuation { consumer in
                let isReady = state.withLock { state in
                    if state.first < state.waiting.count || state.sweep != nil || state.isGraceOver || state.isClosed {
                        return true
                    }
                    state.consumer = consumer
                    return false
                }
                if isReady { consumer.resume() }
            }
        }
    }

    private func takeWork() -> (CommitWork?, isClosed: Bool) {
        state.withLock { state in
            var work = CommitWork()
            work.sweep = state.sweep.take()
            work.isGraceOver = state.isGraceOver
            state.isGraceOver = false
            var commandCount = 0
            while state.first < state.waiting.count {
                let next = state.waiting[state.first]
                if commandCount > 0, commandCount + next.rest.count > Self.maximumGroupCommands { break }
                commandCount += next.rest.count
                work.group.append(next)
                state.first += 1
            }
            state.commandCount -= commandCount
            if state.first == state.waiting.count {
                state.waiting.removeAll(keepingCapacity: true)
                state.first = 0
            }
            let isIdle = work.group.isEmpty && work.sweep == nil && !work.isGraceOver
            return (isIdle ? nil : work, state.isClosed)
        }
    }
}
