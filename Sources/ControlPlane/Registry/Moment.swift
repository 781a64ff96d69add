import FoundationEssentials

/// One moment on both clocks: the monotonic one decides, the other is for people.
struct Moment: Sendable, Equatable {
    /// Never goes back and knows no leap: what deadlines are made of.
    var monotonic: ContinuousClock.Instant
    /// The time of day: shown, never compared.
    var wall: WallTime

    /// The same moment some time later.
    func advanced(by duration: Duration) -> Moment {
        Moment(
            monotonic: monotonic.advanced(by: duration),
            wall: WallTime(millisecondsSince1970: wall.millisecondsSince1970 + duration.milliseconds)
        )
    }
}

/// Where a ``Registry`` has the time from; tests bring their own.
struct TimeSource: Sendable {
    /// The present moment.
    let now: @Sendable () -> Moment

    /// The machine's clocks.
    static let system = TimeSource {
        Moment(monotonic: .now, wall: .now)
    }
}

/// A time of day in milliseconds since 1970-01-01T00:00:00Z.
struct WallTime: Sendable, Hashable {
    var millisecondsSince1970: Int64

    /// The machine's clock.
    static var now: WallTime {
        WallTime(millisecondsSince1970: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
    }

    /// Whole seconds since 1970.
    var secondsSince1970: Int64 { millisecondsSince1970 / 1000 }

    /// Some seconds later.
    func advanced(bySeconds seconds: Int) -> WallTime {
        WallTime(millisecondsSince1970: millisecondsSince1970 + Int64(seconds) * 1000)
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    /// Whole seconds, rounded up.
    var wholeSeconds: Int64 {
        components.seconds + (components.attoseconds > 0 ? 1 : 0)
    }
}
