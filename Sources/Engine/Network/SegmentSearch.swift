/// Whether to look for datagrams that go together: pure.
///
/// Clients that draw a port for each query never share one, so that looking for datagrams to one port costs each reply
/// something and saves nothing. After some fruitless looks most batches are sent as they are.
struct SegmentSearch {
    /// Fruitless looks in a row after which batches are left out.
    static let patience = 4
    /// Batches that are left out between two looks at most: so many are sent one by one when clients begin to share
    /// ports.
    static let longestPause = 32

    private var fruitless = 0
    private var left = 0

    /// Whether to look through the next batch; if so, ``note(found:)`` is to be told what came of it.
    @inline(__always)
    mutating func begin() -> Bool {
        guard left > 0 else { return true }
        left &-= 1
        return false
    }

    /// Notes whether any datagrams of a batch went together.
    @inline(__always)
    mutating func note(found: Bool) {
        guard !found else {
            fruitless = 0
            return
        }
        // The pause doubles from one batch on.
        fruitless = min(fruitless &+ 1, Self.patience &+ Self.longestPause.trailingZeroBitCount)
        if fruitless >= Self.patience { left = 1 << (fruitless &- Self.patience) }
    }
}
