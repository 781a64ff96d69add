/// Waits for a time.
enum Pause {
    /// Returns when the time is over, or the task is cancelled.
    static func wait(_ time: Duration, timers: any Timers = EventLoopTimers.shared) async {
        let (over, continuation) = AsyncStream.makeStream(of: Void.self)
        timers.once(after: time) { continuation.finish() }
        for await _ in over {}
    }
}
