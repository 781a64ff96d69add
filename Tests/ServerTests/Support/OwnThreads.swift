import Foundation
import Testing

/// Lets tests block: each of their tasks runs on a thread of its own.
///
/// The clients here wait in system calls. On the threads that all other tests share, that would hold those up.
struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(ThreadExecutor.shared) { try await function() }
    }
}

extension Trait where Self == OwnThreads {
    /// Tasks of these tests may block.
    static var ownThreads: Self { OwnThreads() }
}

/// Runs every task that is ready on a thread of its own, however many others block.
///
/// A concurrent queue of Dispatch would not: it has as many threads as the machine has cores, and one more now and then
/// when it finds them blocked, so that of 8 clients 3 are at work and 5 wait for their end.
private final class ThreadExecutor: TaskExecutor {
    static let shared = ThreadExecutor()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Thread.detachNewThread {
            // Unsafe: the references are unowned; the job is run once, and this closure keeps the executor.
            unsafe job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}
