/// A search for expired instances.
struct Sweep: Sendable, Equatable {
    /// When it was due: an instance whose deadline was later is alive.
    var now: Moment
    /// How long this process was paused before it: heartbeats may have come that nobody could hear.
    var pause = Duration.zero

    /// Both in one: as of the later, after both pauses.
    func merged(with other: Sweep) -> Sweep {
        Sweep(now: now.monotonic < other.now.monotonic ? other.now : now, pause: pause + other.pause)
    }
}

/// When to look for expired instances, and whether that comes late: pure.
///
/// A process that was stopped, starved or moved to another machine has not heard the heartbeats that were sent
/// meanwhile. Nothing tells it so but its own lateness.
struct SweepSchedule: Sendable {
    /// Lateness below is that of any busy machine.
    static let shortestPause = Duration.milliseconds(500)

    /// The time from one search to the next.
    private let period: Duration
    private var last: ContinuousClock.Instant

    /// The first search is due one period from now.
    init(period: Duration, now: Moment) {
        self.period = period
        last = now.monotonic
    }

    /// The time for a search has come, as far as somebody who is to wait one period each time knows.
    mutating func sweep(now: Moment) -> Sweep {
        let lateness = last.duration(to: now.monotonic) - period
        last = now.monotonic
        return Sweep(now: now, pause: lateness >= Self.shortestPause ? lateness : .zero)
    }
}
