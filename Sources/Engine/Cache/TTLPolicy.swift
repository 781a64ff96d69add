/// The arithmetic of times to live: pure, in whole seconds and with the time passed in.
struct TTLPolicy: Sendable {
    /// TTLs are raised to this; in seconds.
    var minimum: UInt32
    /// TTLs are lowered to this; in seconds.
    var maximum: UInt32
    /// TTLs of negative answers are lowered to this (RFC 2308 §5); in seconds.
    var negativeMaximum: UInt32
    /// How long an expired answer may be used (RFC 8767 §4).
    var stale: Nanoseconds
    /// Whether an answer in demand is asked for again before it expires.
    var prefetches: Bool

    /// The TTL of an answer served after it has expired, in seconds (RFC 8767 §4).
    static let staleTTL: UInt32 = 30
    /// An answer is asked for again in this last part of its life, if it lives long enough to have one.
    static let prefetchShare: Int64 = 10
    /// Answers that live shorter are not worth a second query; in seconds.
    static let minimumPrefetchedTTL: UInt32 = 2

    /// A TTL as it came: one with the highest bit set counts as 0 (RFC 2181 §8).
    static func read(_ field: UInt32) -> UInt32 { field >> 31 == 0 ? field : 0 }

    /// How long an answer is kept, in seconds; 0: it is not.
    func lifetime(of ttl: UInt32, isNegative: Bool) -> UInt32 {
        let capped = min(max(ttl, minimum), maximum)
        return isNegative ? min(capped, negativeMaximum) : capped
    }

    /// When an answer kept for `lifetime` seconds from `now` on expires, and what happens before and after.
    func times(lifetime: UInt32, now: MonotonicTime) -> AnswerTimes {
        let span = Nanoseconds.seconds(Int64(lifetime))
        let expiry = now + span
        let isPrefetched = prefetches && lifetime >= Self.minimumPrefetchedTTL
        let last = isPrefetched ? Nanoseconds(count: max(span.count / Self.prefetchShare, 1_000_000_000)) : .zero
        return AnswerTimes(expiry: expiry, refresh: expiry + (.zero - last), end: expiry + stale)
    }
}

/// When an answer gets old.
struct AnswerTimes: BitwiseCopyable {
    /// From then on it is stale.
    var expiry: MonotonicTime
    /// From then on, until it expires, a query for it has it asked for again.
    var refresh: MonotonicTime
    /// From then on it must not be used at all.
    var end: MonotonicTime

    /// The TTL to answer with, in seconds: what is left, rounded down but never 0, or that of a stale answer.
    @inline(__always)
    func remainingTTL(now: MonotonicTime) -> UInt32 {
        guard now < expiry else { return TTLPolicy.staleTTL }
        let seconds = (expiry.nanoseconds &- now.nanoseconds) / 1_000_000_000
        return UInt32(truncatingIfNeeded: min(max(seconds, 1), Int64(Int32.max)))
    }
}
