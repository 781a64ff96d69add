/// A search for expired instances.
struct Sweep: Sendable, Equatable {
    /// When it was due: an instance with a later deadline is alive.
    var now: Moment
    /// How long this process was paused before it: heartbeats may have been sent that it could not hear.
    var pause = Duration.zero

    /// Both merged into one: at the later time, after the sum of their pauses.
    func merged(with other: Sweep) -> Sweep {
        Sweep(now: now.monotonic < other.now.monotonic ? other.now : now, pause: pause + other.pause)
    }
}

/// Decides when to look for expired instances, and detects pauses. It is pure.
///
/// A process that was stopped, starved or moved to another machine has not heard the heartbeats sent in the meantime.
/// Only the lateness of its own timer tells it so.
struct SweepSchedule: Sendable {
    /// Any busy machine is late by less than this.
    static let shortestPause = Duration.milliseconds(500)

    /// The time from one search to the next.
    private let period: Duration
    private var last: ContinuousClock.Instant
    /// Since when no heartbeats can be heard; `nil`: they can.
    private var pausedSince: ContinuousClock.Instant?
    /// A pause that no search knows of yet.
    private var pause = Duration.zero

    /// The first search is due one period from now.
    init(period: Duration, now: Moment) {
        self.period = period
        last = now.monotonic
    }

    /// Notes that no heartbeats can be heard from now on.
    mutating func pause(since now: Moment) { pausedSince = now.monotonic }

    /// Notes that heartbeats can be heard again; the first search is due one period from now.
    mutating func resume(now: Moment) {
        let length = pausedSince?.duration(to: now.monotonic) ?? .zero
        if length >= Self.shortestPause { pause += length }
        pausedSince = nil
        last = now.monotonic
    }

    /// A search that begins now. If it is late for its period, the lateness counts as a pause.
    mutating func sweep(now: Moment) -> Sweep {
        if pausedSince != nil { resume(now: now) }
        let lateness = last.duration(to: now.monotonic) - period
        last = now.monotonic
        let pause = pause + (lateness >= Self.shortestPause ? lateness : .zero)
        self.pause = .zero
        return Sweep(now: now, pause: pause)
    }
}
