@testable import ControlPlane

/// A process that seems to have threads of its own. It can be paused, and its clock can be wrong.
final class SimulatedProcess: @unchecked Sendable {
    /// Runs the tasks for which no other executor is named.
    private final class Pool: TaskExecutor, @unchecked Sendable {
        unowned let process: SimulatedProcess

        init(_ process: SimulatedProcess) { self.process = process }

        func enqueue(_ job: consuming ExecutorJob) { process.pooled.append(UnownedJob(job)) }
    }

    /// A thread that runs one job after the other.
    private final class Thread: SerialExecutor, @unchecked Sendable {
        unowned let process: SimulatedProcess

        init(_ process: SimulatedProcess) { self.process = process }

        func enqueue(_ job: consuming ExecutorJob) { process.threaded.append(UnownedJob(job)) }
    }

    let world: World
    private(set) var isPaused = false
    /// When it last went on after a pause.
    private(set) var resumedAt: Microseconds = 0
    /// The error of its wall clock.
    var wallOffset: Microseconds = 0
    private var pooled: [UnownedJob] = []
    private var threaded: [UnownedJob] = []
    /// Actions that arrived while it was paused.
    private var postponed: [() -> Void] = []
    private lazy var poolExecutor = Pool(self)
    private lazy var threadExecutor = Thread(self)

    init(_ world: World) { self.world = world }

    var pool: any TaskExecutor { poolExecutor }
    /// The committer's thread.
    var thread: any SerialExecutor { threadExecutor }
    var time: TimeSource { TimeSource { [self] in world.moment(offset: wallOffset) } }
    var timers: any Timers { SimulatedTimers(process: self) }

    /// The number of jobs of which any may be the next.
    var readyCount: Int { isPaused ? 0 : pooled.count + (threaded.isEmpty ? 0 : 1) }

    func runJob(_ choice: Int) {
        if choice < pooled.count {
            pooled.swapAt(choice, pooled.count - 1)
            let job = pooled.removeLast()
            // Unsafe: the reference is unowned, and this process keeps the executor.
            unsafe job.runSynchronously(on: poolExecutor.asUnownedTaskExecutor())
        } else {
            let job = threaded.removeFirst()
            // Unsafe: as above.
            unsafe job.runSynchronously(on: threadExecutor.asUnownedSerialExecutor())
        }
    }

    /// Starts a task that runs here, together with all tasks that it starts.
    @discardableResult
    func start(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task.detached(executorPreference: pool) { await body() }
    }

    func pause() { isPaused = true }

    /// Continues. Late timers and what has come over the network are handled first, in the order of their times.
    func resume() {
        isPaused = false
        resumedAt = world.now
        let actions = postponed
        postponed = []
        for action in actions { action() }
    }

    func postpone(_ action: @escaping () -> Void) { postponed.append(action) }
}

/// Timers of a process in virtual time.
struct SimulatedTimers: Timers {
    let process: SimulatedProcess

    /// Whether a timer continues.
    private final class Life: @unchecked Sendable {
        var isOver = false
    }

    func every(
        _ interval: Duration, after delay: Duration, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let life = Life()
        let interval = Microseconds(interval)
        let process = process
        @Sendable func schedule(_ delay: Microseconds) {
            process.world.after(delay, process) {
                if life.isOver { return }
                action()
                schedule(interval)
            }
        }
        schedule(Microseconds(delay))
        return { life.isOver = true }
    }

    func once(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        process.world.after(Microseconds(delay), process, action)
    }
}
