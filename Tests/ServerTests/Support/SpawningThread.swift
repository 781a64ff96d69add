import Foundation
import Synchronization

/// A thread that starts programs and never ends. A program that should end with its parent ends with the thread that
/// started it (PR_SET_PDEATHSIG, prctl(2)), and threads of a pool come and go.
enum SpawningThread {
    private static let work = Mutex<[@Sendable () -> Void]>([])
    private static let isDue = DispatchSemaphore(value: 0)

    private static let thread: Void = Thread.detachNewThread {
        while true {
            isDue.wait()
            work.withLock { $0.isEmpty ? nil : $0.removeFirst() }?()
        }
    }

    /// The command that makes a program end with this one. Its further arguments are the program.
    static let setpriv = ["/usr/bin/setpriv", "--pdeathsig", "KILL"]

    /// Runs `body` on the thread, and waits for it.
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
        _ = thread
        let result = Mutex<Result<Value, any Error>?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        work.withLock { work in
            work.append {
                let outcome = Result { try body() }
                result.withLock { $0 = outcome }
                isDone.signal()
            }
        }
        isDue.signal()
        isDone.wait()
        guard let outcome = result.withLock({ $0 }) else { throw CancellationError() }
        return try outcome.get()
    }
}
