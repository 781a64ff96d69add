import Synchronization

/// Does health checks, and tells its ``Checker/Handlers`` what they find. Each function may be called on any thread,
/// and does not wait.
protocol CheckRunner: Sendable {
    /// Takes over instances, or their new registrations. Checks whose definition, address and port are as they were go
    /// on as they are; the statuses given are for others. An instance without checks is given up.
    func adopt(_ assignments: [CheckAssignment])

    /// Gives up instances. Their runs end, and have no result.
    func remove(_ ids: [String])

    /// Takes a result from outside: of a check of type `ttl`, or of another one until its next own result.
    ///
    /// - Parameters:
    ///   - output: the reporter's words; shown up to 512 octets, with `?` for what is not printable ASCII.
    ///   - completion: called on the checker's thread, after ``Checker/Handlers/onTransitions``.
    func report(
        _ id: String, _ check: String, _ status: CheckStatus, output: String,
        completion: @escaping @Sendable (ReportOutcome) -> Void)

    /// What is known of an instance's checks, in their order; `nil`: it is not checked here.
    func observations(of id: String) -> [CheckObservation]?

    /// The numbers of checks, of runs under way and of runs since the start, and whether the checker takes itself for
    /// cut off, for metrics.
    var statistics: Checker.Statistics { get }

    /// Ends all runs without a result.
    func shutdown()
}

/// Does the health checks of the instances that were assigned to this node, on a thread of its own.
///
/// Its memory is bounded by what is assigned: some 600 octets for a check with its observation, and some 40 KiB for
/// each of the `maximumConcurrent` runs under way, whatever the targets send.
final class Checker: CheckRunner {
    struct Settings: Sendable {
        /// `checks.max_concurrent`: runs under way at most, each with a socket.
        var maximumConcurrent = 1000
        /// `checks.allow`.
        var targets = CheckTargets()
        /// `heartbeat.mass_expiry_brake`.
        var cutOffShare = 0.5
        /// The path of the certificates (PEM) of the authorities that verify targets; empty: the system's.
        var authorities = ""
    }

    /// What the checker tells. It calls on its own thread, and nothing is checked meanwhile: no closure must wait.
    struct Handlers: Sendable {
        /// Changes of statuses, in their order; never empty.
        var onTransitions: @Sendable ([CheckTransition]) -> Void
        /// Instances to remove. Those that are still assigned after 30 s are named again.
        var onRemovals: @Sendable ([CheckRemoval]) -> Void
        /// The checker takes itself for cut off, or no longer.
        var onHold: @Sendable (CutOffDetector.Change) -> Void
    }

    /// Why there is no checker.
    struct StartFailure: Error {
        var reason: String
    }

    private let inbox: CheckerInbox
    private let observed: CheckerObservations
    private let thread: HTTPClientThread

    /// - Throws: if the system is out of threads, memory or file descriptors.
    init(
        _ settings: Settings, time: TimeSource = .system, seed: UInt64 = .random(in: .min ... .max),
        _ handlers: Handlers
    ) throws(StartFailure) {
        guard let waker = ProbeWaker(),
            let multi = ProbeMulti(maximumConcurrent: settings.maximumConcurrent, waker: waker)
        else { throw StartFailure(reason: "no file descriptors left") }
        let inbox = CheckerInbox(waker)
        let observed = CheckerObservations()
        do throws(HTTPClientError) {
            thread = try HTTPClientThread(named: "checks") {
                // Made on the thread that uses it.
                let loop = CheckerLoop(
                    settings, time: time, seed: seed, inbox: inbox, observed: observed, multi: multi, handlers)
                loop.run()
            }
        } catch {
            throw StartFailure(reason: error.reason)
        }
        self.inbox = inbox
        self.observed = observed
    }

    deinit {
        shutdown()
    }

    /// Takes over instances; see ``CheckRunner/adopt(_:)``.
    ///
    /// First runs are spread over the interval, however many instances there are.
    func adopt(_ assignments: [CheckAssignment]) {
        inbox.append(assignments.map { .adopt($0) })
    }

    func remove(_ ids: [String]) {
        inbox.append(ids.map { .remove($0) })
    }

    func report(
        _ id: String, _ check: String, _ status: CheckStatus, output: String,
        completion: @escaping @Sendable (ReportOutcome) -> Void
    ) {
        inbox.append([.report(id, check, status, CheckerInbox.printable(output), completion)])
    }

    func observations(of id: String) -> [CheckObservation]? { observed[id] }

    var statistics: Statistics { observed.statistics }

    /// For metrics.
    struct Statistics: Sendable, Equatable {
        var checks = 0
        var running = 0
        var succeeded = 0
        var failed = 0
        /// Runs without a result: interrupted, or impossible here.
        var unfinished = 0
        /// The same by type and result, and how long they took.
        var runs = Check.Runs()
        var isHolding = false
    }

    /// Ends all runs without a result, and waits for the thread unless called on it.
    func shutdown() {
        inbox.close()
        thread.join()
    }
}

/// What the checker's thread is to do; any thread may add to it.
final class CheckerInbox: Sendable {
    enum Command: Sendable {
        case adopt(CheckAssignment)
        case remove(String)
        case report(String, String, CheckStatus, String, @Sendable (ReportOutcome) -> Void)
    }

    private struct State {
        var commands: [Command] = []
        var isClosed = false
        /// Whether the thread was woken and has not looked yet.
        var isWoken = false
    }

    private let waker: ProbeWaker
    private let state = Mutex(State())

    init(_ waker: ProbeWaker) {
        self.waker = waker
    }

    /// Adds commands; after ``close()`` they are dropped.
    func append(_ commands: [Command]) {
        let isLost = state.withLock { state in
            if state.isClosed { return true }
            state.commands += commands
            wake(&state)
            return false
        }
        guard isLost else { return }
        for case .report(_, _, _, _, let completion) in commands { completion(.unknown) }
    }

    /// Makes the thread end.
    func close() {
        state.withLock { state in
            state.isClosed = true
            wake(&state)
        }
    }

    /// Takes all commands; `nil`: the thread is to end.
    func take() -> [Command]? {
        state.withLock { state in
            state.isWoken = false
            if state.isClosed, state.commands.isEmpty { return nil }
            defer { state.commands = [] }
            return state.commands
        }
    }

    private func wake(_ state: inout State) {
        if !state.isWoken { waker.wake() }
        state.isWoken = true
    }

    /// At most 512 octets of printable ASCII.
    static func printable(_ text: String) -> String {
        let octets = text.unicodeScalars.prefix(512).map { (0x20...0x7E).contains($0.value) ? UInt8($0.value) : 0x3F }
        return String(decoding: octets, as: UTF8.self)
    }
}

/// The newest observations, for readers on other threads.
final class CheckerObservations: Sendable {
    private struct State {
        var checks: [String: [CheckObservation]] = [:]
        var statistics = Checker.Statistics()
    }

    private let state = Mutex(State())

    /// Those of an instance.
    subscript(id: String) -> [CheckObservation]? { state.withLock { $0.checks[id] } }

    var statistics: Checker.Statistics { state.withLock { $0.statistics } }

    func update(_ changes: [(id: String, checks: [CheckObservation]?)], _ statistics: Checker.Statistics) {
        state.withLock { state in
            for change in changes { state.checks[change.id] = change.checks }
            state.statistics = statistics
        }
    }
}
