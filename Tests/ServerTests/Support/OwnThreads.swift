import Foundation
import Testing

/// Lets tests block: each of their tasks runs on a thread of its own.
///
/// The clients here wait in system calls. On the threads that other tests share, that would hold up the others.
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

/// Runs every ready task on a thread of its own, however many others block.
///
/// A concurrent queue of Dispatch would not do so. It has as many threads as the machine has cores, and adds one now
/// and then when it finds them blocked. So 3 of 8 clients would work while 5 wait for their end.
private final class ThreadExecutor: TaskExecutor {
    static let shared = ThreadExecutor()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Thread.detachNewThread {
            // Unsafe: the references are unowned; the job runs once, and this closure keeps the executor.
            unsafe job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}
