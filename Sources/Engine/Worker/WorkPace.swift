/// How long a worker does other things before it looks for UDP queries again. Pure: told when it does.
///
/// A worker with time to spare looks often, so that no query waits for what upstreams and their time-outs give it to do.
/// One that has had none for a while looks less often, and takes more queries at a time: then that is faster for all.
struct WorkPace {
    /// Between looks, with time to spare.
    static let short = Nanoseconds(count: 30_000)
    /// Between looks, without.
    static let long = Nanoseconds(count: 200_000)
    /// A pause in other work of so long is time to spare.
    static let pause = Nanoseconds(count: 50_000)
    /// Without a pause for so long there is none.
    static let saturation = Nanoseconds.milliseconds(1)

    private var busySince = MonotonicTime.distantPast
    private var lastWork = MonotonicTime.distantPast
    private var lastLook = MonotonicTime.distantPast

    /// Whether there has been no time to spare for a while.
    var isSaturated: Bool { lastWork - busySince > Self.saturation }

    /// Other work is done.
    mutating func note(_ now: MonotonicTime) {
        if now - lastWork > Self.pause { busySince = now }
        lastWork = now
    }

    /// Whether it is time to look; if so, it is taken to be done.
    mutating func isDue(_ now: MonotonicTime) -> Bool {
        guard now - lastLook >= (isSaturated ? Self.long : Self.short) else { return false }
        lastLook = now
        return true
    }
}
