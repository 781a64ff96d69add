import FoundationEssentials

/// One moment on both clocks: the monotonic one is for decisions, the other is for people.
struct Moment: Sendable, Equatable {
    /// Never goes back or jumps; deadlines are made of it.
    var monotonic: ContinuousClock.Instant
    /// The time of day: shown, never used to decide.
    var wall: WallTime

    /// The moment `duration` later.
    func advanced(by duration: Duration) -> Moment {
        Moment(
            monotonic: monotonic.advanced(by: duration),
            wall: wall.advanced(byMilliseconds: duration.milliseconds)
        )
    }
}

/// Where a ``Registry`` gets the time; tests pass their own.
struct TimeSource: Sendable {
    /// The present moment.
    let now: @Sendable () -> Moment

    /// The machine's clocks.
    static let system = TimeSource {
        Moment(monotonic: .now, wall: .now)
    }
}

/// A time of day in milliseconds since 1970-01-01T00:00:00Z. Its arithmetic saturates.
struct WallTime: Sendable, Hashable {
    /// The last millisecond of the year 9999, the last one that RFC 3339 can write.
    static let last = WallTime(millisecondsSince1970: 253_402_300_799_999)

    var millisecondsSince1970: Int64

    /// Takes the time as given.
    init(millisecondsSince1970: Int64) {
        self.millisecondsSince1970 = millisecondsSince1970
    }

    /// Checks a time from outside; `nil` unless it is in the years 1970 to 9999.
    init?(checking millisecondsSince1970: Int64) {
        guard (0...Self.last.millisecondsSince1970).contains(millisecondsSince1970) else { return nil }
        self.millisecondsSince1970 = millisecondsSince1970
    }

    /// The machine's clock.
    static var now: WallTime {
        let milliseconds = (Date().timeIntervalSince1970 * 1000).rounded(.down)
        return Int64(exactly: milliseconds).flatMap(WallTime.init(checking:)) ?? last
    }

    /// The machine's clock in microseconds since 1970.
    static var microsecondsNow: Int64 {
        Int64(exactly: (Date().timeIntervalSince1970 * 1_000_000).rounded(.down)) ?? last.millisecondsSince1970 * 1000
    }

    /// Whole seconds since 1970.
    var secondsSince1970: Int64 { millisecondsSince1970 / 1000 }

    /// The time some seconds later.
    func advanced(bySeconds seconds: Int) -> WallTime {
        advanced(byMilliseconds: Int64(seconds).multipliedSaturating(by: 1000))
    }

    /// The time some milliseconds later.
    func advanced(byMilliseconds milliseconds: Int64) -> WallTime {
        let (sum, overflow) = millisecondsSince1970.addingReportingOverflow(milliseconds)
        return WallTime(millisecondsSince1970: overflow ? (milliseconds < 0 ? .min : .max) : sum)
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int64 {
        let (sum, overflow) = components.seconds.multipliedSaturating(by: 1000)
            .addingReportingOverflow(components.attoseconds / 1_000_000_000_000_000)
        return overflow ? (components.seconds < 0 ? .min : .max) : sum
    }

    /// Whole seconds, rounded up.
    var wholeSeconds: Int64 {
        components.attoseconds > 0 && components.seconds < .max ? components.seconds + 1 : components.seconds
    }
}

extension Int64 {
    /// The product, or the nearest number that the type holds.
    fileprivate func multipliedSaturating(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? ((self < 0) == (factor < 0) ? .max : .min) : product
    }
}
