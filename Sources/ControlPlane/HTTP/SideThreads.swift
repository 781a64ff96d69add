import NIOCore
import NIOPosix
import Synchronization

/// A few threads beside the event loops, for work that would hold up other connections there. A bounded queue feeds
/// them.
final class SideThreads: Sendable {
    private let executors: [EventLoopExecutor]
    private let capacity: Int
    private let admitted = Atomic(0)
    private let turn = Atomic(0)

    /// Starts the threads, which end with the process.
    ///
    /// - Parameters:
    ///   - count: the number of threads; 1 or more.
    ///   - capacity: pieces of work at once, including those that wait.
    init(count: Int, capacity: Int) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, count))
        executors = group.makeIterator().map { EventLoopExecutor($0) }
        self.capacity = capacity
    }

    /// Does some work on one of the threads.
    ///
    /// - Returns: the result, or `nil` if too much work waits; nothing was done then.
    func run<Result: Sendable>(_ work: @Sendable () async -> Result) async -> Result? {
        guard admitted.add(1, ordering: .relaxed).newValue <= capacity else {
            admitted.subtract(1, ordering: .relaxed)
            return nil
        }
        defer { admitted.subtract(1, ordering: .relaxed) }
        let next = turn.wrappingAdd(1, ordering: .relaxed).newValue & Int.max
        return await withTaskExecutorPreference(executors[next % executors.count]) { await work() }
    }
}
