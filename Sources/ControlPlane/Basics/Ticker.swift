/// Ticks at an interval, until its last copy or the waiting task is gone.
struct Ticker: Sendable {
    /// One element for each tick; ticks that come while nobody waits are merged into one.
    let ticks: AsyncStream<Void>

    /// Ticks now and then at each interval.
    init(every interval: Duration, on timers: any Timers) {
        let (ticks, tick) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let end = timers.every(interval, after: .zero) { tick.yield() }
        tick.onTermination = { _ in end() }
        self.ticks = ticks
    }
}
