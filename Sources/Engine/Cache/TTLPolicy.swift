/// The arithmetic of times to live, in whole seconds. Pure: time is passed in.
struct TTLPolicy: Sendable {
    /// Lower TTLs are raised to this; in seconds.
    var minimum: UInt32
    /// Higher TTLs are lowered to this; in seconds.
    var maximum: UInt32
    /// Higher TTLs of negative answers are lowered to this (RFC 2308 §5); in seconds.
    var negativeMaximum: UInt32
    /// How long an expired answer may be used (RFC 8767 §4).
    var stale: Nanoseconds
    /// Whether a popular answer is fetched again before it expires.
    var prefetches: Bool

    /// The TTL of an answer that is served after it has expired, in seconds (RFC 8767 §4).
    static let staleTTL: UInt32 = 30
    /// An answer is fetched again in the last tenth of its life, if it lives long enough.
    static let prefetchShare: Int64 = 10
    /// Answers with a shorter TTL are not worth a second query; in seconds.
    static let minimumPrefetchedTTL: UInt32 = 2

    /// A TTL from the wire: one with the highest bit set counts as 0 (RFC 2181 §8).
    static func read(_ field: UInt32) -> UInt32 { field >> 31 == 0 ? field : 0 }

    /// How long an answer is kept, in seconds; 0: it is not kept.
    func lifetime(of ttl: UInt32, isNegative: Bool) -> UInt32 {
        let capped = min(max(ttl, minimum), maximum)
        return isNegative ? min(capped, negativeMaximum) : capped
    }

    /// The times of an answer that is kept for `lifetime` seconds from `now` on.
    func times(lifetime: UInt32, now: MonotonicTime) -> AnswerTimes {
        let span = Nanoseconds.seconds(Int64(lifetime))
        let expiry = now + span
        let isPrefetched = prefetches && lifetime >= Self.minimumPrefetchedTTL
        let last = isPrefetched ? Nanoseconds(count: max(span.count / Self.prefetchShare, 1_000_000_000)) : .zero
        return AnswerTimes(expiry: expiry, refresh: expiry + (.zero - last), end: expiry + stale, lifetime: lifetime)
    }
}

/// The times at which an answer's state changes.
struct AnswerTimes: BitwiseCopyable {
    /// From then on it is stale.
    var expiry: MonotonicTime
    /// From then on until it expires, a query for it makes the server fetch it again.
    var refresh: MonotonicTime
    /// From then on it must not be used at all.
    var end: MonotonicTime
    /// From its arrival until it is stale, in seconds.
    var lifetime: UInt32

    /// The TTL to answer with, in seconds: what is left, rounded down but never 0, or the one for stale answers.
    @inline(__always)
    func remainingTTL(now: MonotonicTime) -> UInt32 {
        guard now < expiry else { return TTLPolicy.staleTTL }
        let seconds = (expiry.nanoseconds &- now.nanoseconds) / 1_000_000_000
        return UInt32(truncatingIfNeeded: min(max(seconds, 1), Int64(Int32.max)))
    }
}
