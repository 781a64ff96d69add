import NIOCore
import NIOPosix

/// Calls back when the time has come: an event loop in production, virtual time in a simulation.
protocol Timers: Sendable {
    /// Calls `action` after `delay`, and then each time `interval` after it has returned.
    ///
    /// - Returns: a closure that stops it.
    func every(
        _ interval: Duration, after delay: Duration, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void

    /// Calls `action` once.
    func once(after delay: Duration, _ action: @escaping @Sendable () -> Void)
}

/// Calls back on the thread of an event loop, which must never be shut down.
struct EventLoopTimers: Timers {
    private let eventLoop: any EventLoop

    /// Timers on one of the process's shared threads.
    static var shared: EventLoopTimers { EventLoopTimers(eventLoop: MultiThreadedEventLoopGroup.singleton.next()) }

    func every(
        _ interval: Duration, after delay: Duration, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let task = eventLoop.scheduleRepeatedTask(initialDelay: TimeAmount(delay), delay: TimeAmount(interval)) { _ in
            action()
        }
        return { task.cancel() }
    }

    func once(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        _ = eventLoop.scheduleTask(in: TimeAmount(delay), action)
    }
}
