/// Which record comes first in a worker's next answer: a strategy, and the cells in which it notes what comes next.
struct WorkerRotation: ~Copyable {
    private var strategy: any RotationStrategy
    private var cells = RotationCells()

    init(_ strategy: RotationStrategyName) {
        self.strategy = strategy.makeStrategy()
    }

    /// Makes cells 0..<`count` usable.
    mutating func grow(to count: Int) { cells.grow(to: count) }

    /// The first record of an answer that has all; the RRset has two or more.
    ///
    /// - Parameter weights: the records' where the strategy goes by them, else empty.
    @inline(__always)
    mutating func first(of rrset: RotatedRRset, weights: Span<UInt32>) -> Int {
        strategy.first(of: rrset, weights: weights, cells: &cells)
    }

    /// The first record of an answer that has no room for all. To be followed by ``note(sent:from:of:)``.
    mutating func firstOfSome(of rrset: RotatedRRset) -> Int {
        strategy.firstOfSome(of: rrset, cells: &cells)
    }

    /// Notes how many records such an answer had, beginning with `first`: the next one goes on behind them.
    mutating func note(sent: Int, from first: Int, of rrset: RotatedRRset) {
        strategy.note(sent: sent, from: first, of: rrset, cells: &cells)
    }
}
