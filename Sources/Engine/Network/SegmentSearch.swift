/// Decides whether to search for datagrams that can be sent as one. Pure.
///
/// Clients that use another port for each query never share one. Searching then costs something for each reply and
/// saves nothing, so after some fruitless searches most batches are sent as they are.
struct SegmentSearch {
    /// How many fruitless searches in a row lead to a pause.
    static let patience = 4
    /// The most batches that are skipped between two searches: that many are sent one by one after clients begin to
    /// share ports.
    static let longestPause = 32

    private var fruitless = 0
    private var left = 0

    /// Whether to search the next batch; if so, report the result to ``note(found:)``.
    @inline(__always)
    mutating func begin() -> Bool {
        guard left > 0 else { return true }
        left &-= 1
        return false
    }

    /// Notes whether a batch had datagrams that could be sent as one.
    @inline(__always)
    mutating func note(found: Bool) {
        guard !found else {
            fruitless = 0
            return
        }
        // The pause doubles, beginning with one batch.
        fruitless = min(fruitless &+ 1, Self.patience &+ Self.longestPause.trailingZeroBitCount)
        if fruitless >= Self.patience { left = 1 << (fruitless &- Self.patience) }
    }
}
