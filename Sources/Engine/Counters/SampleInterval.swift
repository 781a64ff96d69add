/// Chooses a share of all queries at random distances: clients that ask in a fixed order must not always be met at the
/// same question. Pure: the caller has the random numbers.
struct SampleInterval: Sendable, BitwiseCopyable {
    /// The distances are uniformly distributed between 1 and this more; their mean is the inverse of the share.
    private let span: Double
    /// What the last distance was rounded down by.
    private var fraction = 0.0

    /// - Parameter share: 0–1; `nil` is returned if nothing is chosen by it.
    init?(share: Double) {
        guard share > 0 else { return nil }
        // The limit keeps the distances within what Int holds.
        span = 2 * (1 / min(max(share, 1e-12), 1) - 1)
    }

    /// The distance from one chosen query to the next; at least 1.
    ///
    /// - Parameter random: uniformly distributed.
    mutating func next(random: UInt64) -> Int {
        let sum = 1 + Double(random >> 11) * 0x1p-53 * span + fraction
        let whole = Int(sum)
        fraction = sum - Double(whole)
        return whole
    }
}
