/// Which record comes first in a worker's next answer: the strategies, and the cells in which they note what comes
/// next.
///
/// Each RRset says by which strategy it rotates. A switch over the few there are costs less than a call through a
/// protocol.
struct WorkerRotation: ~Copyable {
    private var roundRobin = RoundRobin()
    private var random = RandomRotation()
    private var weighted = WeightedRotation()
    private var cells = RotationCells()

    /// Makes cells 0..<`count` usable.
    mutating func grow(to count: Int) { cells.grow(to: count) }

    /// Prefetches what is known of the RRset with that first cell.
    @inline(__always)
    func prefetch(_ cell: Int) { cells.prefetch(cell) }

    /// The first record of an answer that has all; the RRset has two or more.
    ///
    /// - Parameter weights: the records' where the RRset's strategy goes by them.
    @inline(__always)
    mutating func first(of rrset: RotatedRRset, weights: Span<UInt32>) -> Int {
        switch rrset.strategy {
        case .roundRobin: roundRobin.first(of: rrset, weights: weights, cells: &cells)
        case .random: random.first(of: rrset, weights: weights, cells: &cells)
        case .weighted: weighted.first(of: rrset, weights: weights, cells: &cells)
        }
    }

    /// The first record of an answer that has no room for all. To be followed by ``note(sent:from:of:)``.
    mutating func firstOfSome(of rrset: RotatedRRset) -> Int {
        switch rrset.strategy {
        case .roundRobin: roundRobin.firstOfSome(of: rrset, cells: &cells)
        case .random: random.firstOfSome(of: rrset, cells: &cells)
        case .weighted: weighted.firstOfSome(of: rrset, cells: &cells)
        }
    }

    /// What the cells of an RRset say. After ``restore(_:of:)`` the next answer is what it would have been.
    func state(of rrset: RotatedRRset) -> [Int64] {
        (0..<rrset.strategy.cellCount(records: Int(rrset.count))).map { cells[Int(rrset.firstCell) + $0] }
    }

    /// Sets the cells of an RRset to what they said.
    mutating func restore(_ state: [Int64], of rrset: RotatedRRset) {
        for (index, value) in state.enumerated() { cells[Int(rrset.firstCell) + index] = value }
    }

    /// Notes how many records such an answer had, beginning with `first`: the next one goes on behind them.
    mutating func note(sent: Int, from first: Int, of rrset: RotatedRRset) {
        switch rrset.strategy {
        case .roundRobin: roundRobin.note(sent: sent, from: first, of: rrset, cells: &cells)
        case .random: random.note(sent: sent, from: first, of: rrset, cells: &cells)
        case .weighted: weighted.note(sent: sent, from: first, of: rrset, cells: &cells)
        }
    }
}
