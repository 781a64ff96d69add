/// Tells when it is time to do something again; stops with its last copy or with the task that waits.
struct Ticker: Sendable {
    /// An element for each time that has come; those that come while nobody waits are one.
    let ticks: AsyncStream<Void>

    /// Ticks now and then again and again.
    init(every interval: Duration, on timers: any Timers) {
        let (ticks, tick) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let end = timers.every(interval, after: .zero) { tick.yield() }
        tick.onTermination = { _ in end() }
        self.ticks = ticks
    }
}
