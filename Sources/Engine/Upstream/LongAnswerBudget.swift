/// Limits how much a worker reads of unusually long answers. Pure: it is told what is read, and when.
///
/// An answer of 64 KB occupies a worker for some milliseconds, mostly in ldns. Few names have such answers, and each is
/// fetched once per TTL. But an upstream that sends them for all names must not take the worker's time from the
/// registered names. Answers above the rate wait for their turn (the generic cell rate algorithm, ITU-T I.371), without
/// holding up the connection on which they arrived. An answer whose turn would come too late is not read at all.
struct LongAnswerBudget {
    /// Answers up to this many octets are not limited.
    static let usualByteCount = 4096
    /// The rate in octets per second.
    static let rate: Int64 = 64 * 1024
    /// How much may be read at once after a pause, as a time at that rate.
    static let burst = Nanoseconds.milliseconds(250)

    /// The time by which the rate allows for everything that was reserved.
    private var level = MonotonicTime.distantPast

    /// Reserves the time to read an answer.
    ///
    /// - Parameter deadline: when nobody waits for the answer any longer.
    /// - Returns: how long to wait before it is read; `nil` if that is beyond the deadline, and then nothing is
    ///   reserved.
    mutating func reserve(_ byteCount: Int, now: MonotonicTime, deadline: MonotonicTime) -> Nanoseconds? {
        guard byteCount > Self.usualByteCount else { return .zero }
        let wait = max(level - (now + Self.burst), .zero)
        guard now + wait < deadline else { return nil }
        level = max(level, now) + Nanoseconds(count: Int64(byteCount) * 1_000_000_000 / Self.rate)
        return wait
    }
}
