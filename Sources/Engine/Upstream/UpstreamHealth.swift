/// What is remembered about how one upstream is doing. Pure: it is told what happened, and when.
///
/// An upstream is *suspect* if it has let a query wait longer than it usually takes, and has answered nothing since.
/// Others are asked first then, and it is probed in the background until it answers as it should. So only one query, or
/// those already under way, notice that an upstream has failed, and none waits for its return.
struct UpstreamHealth {
    /// How long an upstream may take before anything is known about it.
    static let initialHedgeDelay = Nanoseconds.milliseconds(150)
    /// The shortest time before another attempt: a scheduler may take that long on a busy machine.
    static let minimumHedgeDelay = Nanoseconds.milliseconds(25)
    /// The longest time before another attempt: no client waits longer for an upstream before another one is asked.
    static let maximumHedgeDelay = Nanoseconds.milliseconds(300)
    /// How long a suspect upstream may take, if no other is left.
    static let suspectHedgeDelay = Nanoseconds.milliseconds(50)
    /// After this many errors in a row, others are preferred for a while.
    static let maximumErrors = 5
    /// How long others are preferred then.
    static let errorPause = Nanoseconds.seconds(5)
    /// How many messages in a row must say that nobody is there. A single one can come from anybody who guesses a port.
    static let maximumRefusals = 2

    /// The smoothed round-trip time (RFC 6298 §2).
    private(set) var roundTripTime: Nanoseconds?
    private var variation = Nanoseconds.zero
    private var lastAnswer = MonotonicTime.distantPast
    /// Whether it is probed, and asked only if no other is left.
    private(set) var isSuspect = false
    /// The number of the current series of probes; `nil`: there is none.
    private var probing: UInt64?
    private var lastProbing: UInt64 = 0
    private var errorsInARow = 0
    private var refusalsInARow = 0
    private var avoidedUntil = MonotonicTime.distantPast

    /// How useful an answer was.
    enum Use {
        case useful
        /// SERVFAIL, REFUSED and the like, or an answer that can't be true.
        case useless
        /// The upstream has to be asked in another way: nothing is known yet.
        case undecided
    }

    /// Whether it is asked like any other.
    func isUsable(at now: MonotonicTime) -> Bool { !isSuspect && now >= avoidedUntil }

    /// How long to wait for its answer before another attempt is made.
    var hedgeDelay: Nanoseconds {
        if isSuspect { return Self.suspectHedgeDelay }
        guard let roundTripTime else { return Self.initialHedgeDelay }
        return min(max(roundTripTime + variation * 4, Self.minimumHedgeDelay), Self.maximumHedgeDelay)
    }

    /// Notes that it has answered.
    mutating func answered(sentAt: MonotonicTime, now: MonotonicTime, _ use: Use) {
        let sample = max(now - sentAt, .zero)
        lastAnswer = now
        refusalsInARow = 0
        // RFC 6298 §2.2, §2.3: the weights are eighths and quarters.
        if let smoothed = roundTripTime {
            let error = max(smoothed - sample, sample - smoothed)
            variation = Nanoseconds(count: (variation.count &* 3 &+ error.count) / 4)
            roundTripTime = Nanoseconds(count: (smoothed.count &* 7 &+ sample.count) / 8)
        } else {
            roundTripTime = sample
            variation = Nanoseconds(count: sample.count / 2)
        }
        // An upstream that takes too long for every query is no better than one that does not answer.
        if sample <= Self.maximumHedgeDelay, isSuspect {
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

    /// Notes that it was of no use.
    mutating func failed(now: MonotonicTime) {
        errorsInARow += 1
        if errorsInARow >= Self.maximumErrors { avoidedUntil = now + Self.errorPause }
    }

    /// Notes that a query has waited longer than ``hedgeDelay``.
    mutating func overdue(sentAt: MonotonicTime) {
        if lastAnswer <= sentAt { isSuspect = true }
    }

    /// Notes that it can't be reached.
    mutating func unreachable() {
        isSuspect = true
    }

    /// Notes a message that says that nobody listens there, or that there is no route to it.
    mutating func refused() {
        refusalsInARow = min(refusalsInARow + 1, Self.maximumRefusals)
        if refusalsInARow == Self.maximumRefusals { isSuspect = true }
    }

    // MARK: Probes

    /// Begins a series of probes, for the caller to send, if the upstream is suspect and nobody probes it. This is
    /// offered as long as it is suspect, and not only when it becomes so: if one caller gives up, the next one takes
    /// over.
    ///
    /// - Parameter isNeeded: whether it must be probed for another reason.
    mutating func beginProbing(besides isNeeded: Bool = false) -> ProbeSchedule? {
        guard isSuspect || isNeeded, probing == nil else { return nil }
        lastProbing &+= 1
        probing = lastProbing
        return ProbeSchedule(number: lastProbing)
    }

    /// Whether a series of probes should go on. It should not once the upstream has answered as it should, even if it
    /// has become suspect again.
    func isProbed(by schedule: ProbeSchedule, besides isNeeded: Bool = false) -> Bool {
        (isSuspect || isNeeded) && probing == schedule.number
    }

    /// Ends a series of probes.
    mutating func endProbing(_ schedule: ProbeSchedule) {
        if probing == schedule.number { probing = nil }
    }
}

/// When a suspect upstream is probed: soon at first, then less and less often.
struct ProbeSchedule {
    static let first = Nanoseconds.milliseconds(100)
    static let longest = Nanoseconds.seconds(3)

    /// Tells the series of probes of one upstream apart.
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
