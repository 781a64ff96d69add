/// How much a worker reads of answers that are longer than usual. Pure: told what is read, and when.
///
/// An answer of 64 KB keeps a worker for some milliseconds, most of them in ldns. Few names have such answers, and each
/// is fetched once for its TTL; an upstream that has them for all names must not take the worker's time from the
/// registered ones. Answers above the rate wait in the connection (the generic cell rate algorithm, ITU-T I.371).
struct LongAnswerBudget {
    /// Answers up to so many octets are as usual.
    static let usualByteCount = 4096
    /// Octets a second.
    static let rate: Int64 = 64 * 1024
    /// What may be read at once after a pause, as a time at that rate.
    static let burst = Nanoseconds.milliseconds(250)

    /// When as much has been read as the rate allows.
    private var level = MonotonicTime.distantPast

    /// How long an answer must wait before it is read; `nil`: it need not.
    func delay(for byteCount: Int, now: MonotonicTime) -> Nanoseconds? {
        guard byteCount > Self.usualByteCount else { return nil }
        let delay = level - (now + Self.burst)
        return delay > .zero ? delay : nil
    }

    /// An answer is read.
    mutating func take(_ byteCount: Int, now: MonotonicTime) {
        guard byteCount > Self.usualByteCount else { return }
        level = max(level, now) + Nanoseconds(count: Int64(byteCount) * 1_000_000_000 / Self.rate)
    }
}
