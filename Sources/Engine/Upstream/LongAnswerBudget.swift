/// How much a worker reads of answers that are longer than usual. Pure: told what is read, and when.
///
/// An answer of 64 KB keeps a worker for some milliseconds, most of them in ldns. Few names have such answers, and each
/// is fetched once for its TTL; an upstream that has them for all names must not take the worker's time from the
/// registered ones. Answers above the rate wait for their turn (the generic cell rate algorithm, ITU-T I.371), beside
/// the connection that they came on; one whose turn would come too late is not read at all.
struct LongAnswerBudget {
    /// Answers up to so many octets are as usual.
    static let usualByteCount = 4096
    /// Octets a second.
    static let rate: Int64 = 64 * 1024
    /// What may be read at once after a pause, as a time at that rate.
    static let burst = Nanoseconds.milliseconds(250)

    /// When as much has been read as the rate allows.
    private var level = MonotonicTime.distantPast

    /// Reserves the time to read an answer.
    ///
    /// - Parameter deadline: when nobody waits for it any longer.
    /// - Returns: how long it must wait before it is read; `nil`: beyond the deadline, and nothing is reserved.
    mutating func reserve(_ byteCount: Int, now: MonotonicTime, deadline: MonotonicTime) -> Nanoseconds? {
        guard byteCount > Self.usualByteCount else { return .zero }
        let wait = max(level - (now + Self.burst), .zero)
        guard now + wait < deadline else { return nil }
        level = max(level, now) + Nanoseconds(count: Int64(byteCount) * 1_000_000_000 / Self.rate)
        return wait
    }
}
