/// Decides whether to try something that is only worth it at times. Pure.
///
/// Clients that use another port for each query never share one: to search for replies that can be sent as one costs
/// something for each reply then, and saves nothing. A server with little to do rarely finds more queries right after a
/// batch. So after some fruitless trials most are left out.
struct Trial {
    /// How many fruitless trials in a row lead to a pause.
    static let fruitlessLimit = 4
    /// The most chances that are left out between two trials: it takes that long to notice that it is worth it again.
    static let longestPause = 32

    private var fruitless = 0
    private var left = 0

    /// Whether to try this time; if so, report the result to ``note(success:)``.
    @inline(__always)
    mutating func begin() -> Bool {
        guard left > 0 else { return true }
        left &-= 1
        return false
    }

    /// Notes whether it was worth it.
    @inline(__always)
    mutating func note(success: Bool) {
        guard !success else {
            fruitless = 0
            return
        }
        // The pause doubles, beginning with one chance.
        fruitless = min(fruitless &+ 1, Self.fruitlessLimit &+ Self.longestPause.trailingZeroBitCount)
        if fruitless >= Self.fruitlessLimit { left = 1 << (fruitless &- Self.fruitlessLimit) }
    }
}
