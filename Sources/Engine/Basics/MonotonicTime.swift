import CEvent

/// A point in time on the system's monotonic clock. Code that depends on time gets one passed in and reads no clock.
struct MonotonicTime: Comparable, Sendable, BitwiseCopyable {
    /// Nanoseconds since an epoch that is the same for the whole process.
    var nanoseconds: Int64

    /// Reads the clock.
    static var now: MonotonicTime { MonotonicTime(nanoseconds: monotonic_nanoseconds()) }

    /// Earlier than any time that the clock shows.
    static let distantPast = MonotonicTime(nanoseconds: 0)

    static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }

    static func + (time: MonotonicTime, span: Nanoseconds) -> MonotonicTime {
        MonotonicTime(nanoseconds: time.nanoseconds &+ span.count)
    }

    static func - (end: MonotonicTime, start: MonotonicTime) -> Nanoseconds {
        Nanoseconds(count: end.nanoseconds &- start.nanoseconds)
    }
}

/// A span of time in one machine word; a `Duration` has 128 bits, which every entry of the cache would pay for.
struct Nanoseconds: Comparable, Hashable, Sendable, BitwiseCopyable {
    var count: Int64

    static let zero = Nanoseconds(count: 0)

    static func milliseconds(_ number: Int64) -> Nanoseconds { Nanoseconds(count: number &* 1_000_000) }

    static func seconds(_ number: Int64) -> Nanoseconds { Nanoseconds(count: number &* 1_000_000_000) }

    /// Converts a duration; longer ones are clamped to 292 years.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        count = overflow ? .max : product &+ attoseconds / 1_000_000_000
    }

    init(count: Int64) {
        self.count = count
    }

    /// The same as a duration.
    var duration: Duration { .nanoseconds(count) }

    static func < (left: Nanoseconds, right: Nanoseconds) -> Bool { left.count < right.count }

    static func + (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
        Nanoseconds(count: left.count &+ right.count)
    }

    static func - (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
        Nanoseconds(count: left.count &- right.count)
    }

    static func * (span: Nanoseconds, factor: Int64) -> Nanoseconds { Nanoseconds(count: span.count &* factor) }
}
