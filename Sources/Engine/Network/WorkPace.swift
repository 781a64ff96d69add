/// Decides whose turn it is in a worker's loop: UDP queries, or the other work, which upstreams' answers and time-outs
/// cause. Pure: it is told what is done, and when.
///
/// A worker with time to spare looks for queries often, so that none waits for other work. One that has had none for a
/// while looks less often and takes more at a time, which is faster for everybody then.
struct WorkPace {
    /// The interval between looks if there is time to spare.
    static let short = Nanoseconds(count: 30_000)
    /// The interval between looks if there is none.
    static let long = Nanoseconds(count: 200_000)
    /// A pause of this length in other work is time to spare.
    static let pause = Nanoseconds(count: 100_000)
    /// After this long without such a pause there is no time to spare.
    static let saturation = Nanoseconds.milliseconds(10)
    /// How many turns in a row UDP sockets have before other work gets one.
    static let turnsAtOnce = 32

    private var busySince = MonotonicTime.distantPast
    private var lastWork = MonotonicTime.distantPast
    private var lastLook = MonotonicTime.distantPast
    private var turnsInARow = 0

    /// Whether there has been no time to spare for a while.
    var isSaturated: Bool { lastWork - busySince > Self.saturation }

    /// Whether UDP queries go first: not without limit, nor when that would only make batches small.
    var queriesGoFirst: Bool { turnsInARow < Self.turnsAtOnce && !isSaturated }

    /// Notes a turn of UDP queries.
    mutating func noteTurn() {
        turnsInARow &+= 1
    }

    /// Notes a turn of other work.
    mutating func noteOtherTurn() {
        turnsInARow = 0
    }

    /// Notes that a piece of other work begins.
    mutating func noteBegin(_ now: MonotonicTime) {
        if now - lastWork > Self.pause { busySince = now }
        lastWork = now
    }

    /// Notes that a piece of other work ends.
    mutating func noteEnd(_ now: MonotonicTime) {
        lastWork = now
    }

    /// Whether it is time to look for queries; if so, the caller is expected to look.
    mutating func isLookDue(_ now: MonotonicTime) -> Bool {
        guard now - lastLook >= (isSaturated ? Self.long : Self.short) else { return false }
        lastLook = now
        return true
    }
}
