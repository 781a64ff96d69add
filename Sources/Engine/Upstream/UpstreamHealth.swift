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
    /// How often in a row it must be said that nobody is there: once anybody can say so who guesses a port.
    static let maximumRefusals = 2

    /// The smoothed round-trip time (RFC 6298 §2).
    private(set) var roundTripTime: Nanoseconds?
    private var variation = Nanoseconds.zero
    private var lastAnswer = MonotonicTime.distantPast
    /// Whether it is probed, and asked only when no other is left.
    private(set) var isSuspect = false
    /// The number of the row of probes that looks after it; `nil`: nobody does.
    private var probing: UInt64?
    private var lastProbing: UInt64 = 0
    private var errorsInARow = 0
    private var refusalsInARow = 0
    private var avoidedUntil = MonotonicTime.distantPast

    /// Of what use an answer was.
    enum Use {
        case useful
        /// SERVFAIL, REFUSED and the like, or one that can't be true.
        case useless
        /// It has to be asked for in another way: nothing is known yet.
        case undecided
    }

    /// Whether it is asked like any other.
    func isUsable(at now: MonotonicTime) -> Bool { !isSuspect && now >= avoidedUntil }

    /// How long to wait for its answer before another attempt is made.
    var patience: Nanoseconds {
        if isSuspect { return Self.suspectPatience }
        guard let roundTripTime else { return Self.initialPatience }
        return min(max(roundTripTime + variation * 4, Self.minimumPatience), Self.maximumPatience)
    }

    /// It has answered.
    mutating func answered(sentAt: MonotonicTime, now: MonotonicTime, _ use: Use) {
        let sample = max(now - sentAt, .zero)
        lastAnswer = now
        refusalsInARow = 0
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
        if sample <= Self.maximumPatience, isSuspect {
            isSuspect = false
            probing = nil
        }
        switch use {
        case .useful:
            errorsInARow = 0
            avoidedUntil = .distantPast
        case .useless: failed(now: now)
        case .undecided: break
        }
    }

    /// It was of no use.
    mutating func failed(now: MonotonicTime) {
        errorsInARow += 1
        if errorsInARow >= Self.maximumErrors { avoidedUntil = now + Self.errorPause }
    }

    /// A query has waited for longer than ``patience``.
    mutating func overdue(sentAt: MonotonicTime) {
        if lastAnswer <= sentAt { isSuspect = true }
    }

    /// There is no way to it.
    mutating func unreachable() {
        isSuspect = true
    }

    /// It is said that nobody listens there, or that there is no way to it.
    mutating func refused() {
        refusalsInARow = min(refusalsInARow + 1, Self.maximumRefusals)
        if refusalsInARow == Self.maximumRefusals { isSuspect = true }
    }

    // MARK: Probes

    /// A row of probes, for the caller to send: when it is suspect, and nobody probes it. Not told once, when it
    /// becomes suspect, but as long as it is so: whoever let go of it, it finds somebody.
    ///
    /// - Parameter isNeeded: whether it is to be probed for another reason.
    mutating func beginProbing(besides isNeeded: Bool = false) -> ProbeSchedule? {
        guard isSuspect || isNeeded, probing == nil else { return nil }
        lastProbing &+= 1
        probing = lastProbing
        return ProbeSchedule(number: lastProbing)
    }

    /// Whether a row of probes is to go on: not when it has answered as it should, even if it has become suspect again.
    func isProbed(by schedule: ProbeSchedule, besides isNeeded: Bool = false) -> Bool {
        (isSuspect || isNeeded) && probing == schedule.number
    }

    /// A row of probes does not go on.
    mutating func endProbing(_ schedule: ProbeSchedule) {
        if probing == schedule.number { probing = nil }
    }
}

/// When a suspect upstream is probed: soon at first, then ever more seldom.
struct ProbeSchedule {
    static let first = Nanoseconds.milliseconds(100)
    static let longest = Nanoseconds.seconds(3)

    /// Tells the rows of probes of one upstream apart.
    let number: UInt64
    private var interval = first

    init(number: UInt64) {
        self.number = number
    }

    /// How long to wait until the next probe.
    mutating func next() -> Nanoseconds {
        defer { interval = min(interval * 2, Self.longest) }
        return interval
    }
}
