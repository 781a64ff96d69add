/// Who has a turn in a worker's loop: UDP queries, or the other things that upstreams and their time-outs give it to
/// do. Pure: told what is done, and when.
///
/// A worker with time to spare looks for queries often, so that none waits for other work. One that has had none for a
/// while looks less often, and takes more at a time: then that is faster for all.
struct WorkPace {
    /// Between looks, with time to spare.
    static let short = Nanoseconds(count: 30_000)
    /// Between looks, without.
    static let long = Nanoseconds(count: 200_000)
    /// A pause in other work of so long is time to spare.
    static let pause = Nanoseconds(count: 100_000)
    /// Without a pause for so long there is none.
    static let saturation = Nanoseconds.milliseconds(10)
    /// Turns of UDP sockets in a row until other work has its own.
    static let turnsAtOnce = 32

    private var busySince = MonotonicTime.distantPast
    private var lastWork = MonotonicTime.distantPast
    private var lastLook = MonotonicTime.distantPast
    private var turnsInARow = 0

    /// Whether there has been no time to spare for a while.
    var isSaturated: Bool { lastWork - busySince > Self.saturation }

    /// Whether UDP queries go first: not without end, nor where that would only make for small batches.
    var queriesGoFirst: Bool { turnsInARow < Self.turnsAtOnce && !isSaturated }

    /// UDP queries have a turn.
    mutating func noteTurn() {
        turnsInARow &+= 1
    }

    /// Other work has a turn.
    mutating func noteOtherTurn() {
        turnsInARow = 0
    }

    /// A piece of other work begins.
    mutating func noteBegin(_ now: MonotonicTime) {
        if now - lastWork > Self.pause { busySince = now }
        lastWork = now
    }

    /// A piece of other work ends.
    mutating func noteEnd(_ now: MonotonicTime) {
        lastWork = now
    }

    /// Whether it is time to look for queries; if so, it is taken to be done.
    mutating func isLookDue(_ now: MonotonicTime) -> Bool {
        guard now - lastLook >= (isSaturated ? Self.long : Self.short) else { return false }
        lastLook = now
        return true
    }
}
