/// What is remembered of how one upstream does. Pure: told what happened and when.
///
/// An upstream that has let a query wait longer than it usually takes, and answered nothing since, is *suspect*: others
/// are asked first, and it is probed in the background until it answers as it should. So it is one query, or those
/// already under way, that notices an upstream's death, and none that waits for its return.
struct UpstreamHealth {
    /// How long an upstream may take before anything is known of it.
    static let initialPatience = Nanoseconds.milliseconds(150)
    /// Another attempt is never made earlier: a scheduler may take that long on a busy machine.
    static let minimumPatience = Nanoseconds.milliseconds(25)
    /// Nor later: no client waits longer for an upstream before another one is asked.
    static let maximumPatience = Nanoseconds.milliseconds(300)
    /// How long one that is suspect may take, when no other is left.
    static let suspectPatience = Nanoseconds.milliseconds(50)
    /// Errors in a row after which others are preferred for a while.
    static let maximumErrors = 5
    /// That while.
    static let errorPause = Nanoseconds.seconds(5)

    /// The smoothed round-trip time (RFC 6298 §2).
    private(set) var roundTripTime: Nanoseconds?
    private var variation = Nanoseconds.zero
    private var lastAnswer = MonotonicTime.distantPast
    /// Whether it is probed, and asked only when no other is left.
    private(set) var isSuspect = false
    private var errorsInARow = 0
    private var avoidedUntil = MonotonicTime.distantPast

    /// Whether it is asked like any other.
    func isUsable(at now: MonotonicTime) -> Bool { !isSuspect && now >= avoidedUntil }

    /// How long to wait for its answer before another attempt is made.
    var patience: Nanoseconds {
        if isSuspect { return Self.suspectPatience }
        guard let roundTripTime else { return Self.initialPatience }
        return min(max(roundTripTime + variation * 4, Self.minimumPatience), Self.maximumPatience)
    }

    /// It has answered.
    ///
    /// - Parameter isUseful: `false` for SERVFAIL, REFUSED and what can't be true.
    mutating func answered(sentAt: MonotonicTime, now: MonotonicTime, isUseful: Bool) {
        let sample = max(now - sentAt, .zero)
        lastAnswer = now
        // RFC 6298 §2.2, 2.3: in eighths and quarters.
        if let smoothed = roundTripTime {
            let error = max(smoothed - sample, sample - smoothed)
            variation = Nanoseconds(count: (variation.count &* 3 &+ error.count) / 4)
            roundTripTime = Nanoseconds(count: (smoothed.count &* 7 &+ sample.count) / 8)
        } else {
            roundTripTime = sample
            variation = Nanoseconds(count: sample.count / 2)
        }
        // One that takes too long for every query is no better than one that does not answer.
        if sample <= Self.maximumPatience { isSuspect = false }
        guard !isUseful else {
            errorsInARow = 0
            avoidedUntil = .distantPast
            return
        }
        errorsInARow += 1
        if errorsInARow >= Self.maximumErrors { avoidedUntil = now + Self.errorPause }
    }

    /// A query has waited for longer than ``patience``.
    ///
    /// - Returns: whether it has become suspect just now, and must be probed from now on.
    mutating func overdue(sentAt: MonotonicTime) -> Bool {
        guard !isSuspect, lastAnswer <= sentAt else { return false }
        isSuspect = true
        return true
    }

    /// Nobody listens there, or there is no way to it.
    ///
    /// - Returns: whether it has become suspect just now, and must be probed from now on.
    mutating func unreachable() -> Bool {
        defer { isSuspect = true }
        return !isSuspect
    }
}

/// When a suspect upstream is probed: soon at first, then ever more seldom.
struct ProbeSchedule {
    static let first = Nanoseconds.milliseconds(100)
    static let longest = Nanoseconds.seconds(3)

    private var interval = first

    /// How long to wait until the next probe.
    mutating func next() -> Nanoseconds {
        defer { interval = min(interval * 2, Self.longest) }
        return interval
    }
}
