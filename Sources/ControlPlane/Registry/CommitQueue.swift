import Synchronization

/// Commands of one request, and who waits for them.
struct PendingCommit: Sendable {
    let commands: [RegistryCommand]
    let continuation: CheckedContinuation<Result<[CommandOutcome], RegistryError>, Never>
    /// Of the commands that were carried out: the first ones.
    var outcomes: [CommandOutcome] = []

    /// The commands that are still to be carried out.
    var rest: ArraySlice<RegistryCommand> { commands.dropFirst(outcomes.count) }
}

/// What the committer has to do next.
struct CommitWork: Sendable {
    /// Requests to be committed together.
    var group: [PendingCommit] = []
    /// The search for expired instances that is due.
    var sweep: Sweep?
    /// Whether the time of names that have become empty may be over.
    var isGraceOver = false
}

/// Changes on their way to the committer: any thread puts in, one task takes out.
final class CommitQueue: Sendable {
    /// Commands that may wait; beyond, clients are told to come back.
    static let maximumCommands = 65_536
    /// Commands in a group, unless one request alone has more.
    static let maximumGroupCommands = 4096

    private struct State {
        var waiting: [PendingCommit] = []
        /// The first of `waiting` that was not taken yet.
        var first = 0
        var commandCount = 0
        var sweep: Sweep?
        var isGraceOver = false
        var isClosed = false
        var consumer: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Commands that wait.
    var commandCount: Int { state.withLock { $0.commandCount } }

    /// Puts a request in.
    ///
    /// - Throws: when the queue is full or closed; the continuation is not resumed then.
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

    /// Puts requests back that were taken out and are not done. Those that were begun wait behind all others.
    func putBack(_ requests: [PendingCommit]) {
        if requests.isEmpty { return }
        state.withLock { state in
            state.waiting.replaceSubrange(..<state.first, with: requests.filter(\.outcomes.isEmpty))
            state.first = 0
            state.waiting += requests.filter { !$0.outcomes.isEmpty }
            state.commandCount += requests.reduce(0) { $0 + $1.rest.count }
        }
    }

    /// Asks for a search for expired instances; those that wait become one.
    func requestSweep(_ sweep: Sweep) {
        let consumer = state.withLock { state in
            state.sweep = state.sweep?.merged(with: sweep) ?? sweep
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// Asks for a look at names that have become empty.
    func requestGraceEnd() {
        let consumer = state.withLock { state in
            state.isGraceOver = true
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// Takes nothing more; what is in will still be taken out.
    func close() {
        let consumer = state.withLock { state in
            state.isClosed = true
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// Takes out what is to do next, waiting until there is something.
    ///
    /// - Returns: `nil` when the queue is closed and empty.
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
