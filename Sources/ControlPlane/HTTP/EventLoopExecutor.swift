import NIOCore

/// Runs tasks on the thread of one event loop.
///
/// A connection's task runs on the thread where its bytes arrive, so that a request needs no switch between threads.
final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    /// Runs tasks on `eventLoop`, which must never be shut down.
    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute {
            // Unsafe: the references are unowned, but the job runs once and this closure keeps the executor.
            unsafe job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}
