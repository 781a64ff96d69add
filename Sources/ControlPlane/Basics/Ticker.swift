import NIOCore

/// Tells when it is time to do something again; stops with its last copy or with the task that waits.
struct Ticker: Sendable {
    /// An element for each time that has come; those that come while nobody waits are one.
    let ticks: AsyncStream<Void>

    /// Ticks now and then again and again.
    init(every interval: Duration, on eventLoop: any EventLoop) {
        let (ticks, tick) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let period = TimeAmount(interval)
        let task = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: period) { _ in tick.yield() }
        tick.onTermination = { _ in task.cancel() }
        self.ticks = ticks
    }
}
