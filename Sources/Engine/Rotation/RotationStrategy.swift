/// What a ``RotationStrategy`` knows about an RRset.
struct RotatedRRset: BitwiseCopyable {
    /// The number of its records; 1 or more.
    var count: UInt32
    /// The first of its cells in each worker's ``RotationCells``.
    var firstCell: UInt32
    /// Tells it from an earlier RRset with the same cells.
    var stamp: UInt32
    /// The strategy by which it rotates.
    var strategy: RotationStrategyName
}

/// Chooses the record that comes first in an answer; the others follow in their order, wrapping from the last to the
/// first.
///
/// A new strategy is a type that conforms, and its case in ``RotationStrategyName`` and ``WorkerRotation``. RRsets of
/// different strategies never get each other's cells, as long as no two that keep something need the same number.
protocol RotationStrategy {
    /// Whether it reads the records' weights; an RRset has them only then.
    static var usesWeights: Bool { get }

    /// How many cells an RRset of `count` records needs.
    static func cellCount(records count: Int) -> Int

    /// Chooses the first record of the next answer. It is called only for answers that count.
    ///
    /// - Parameters:
    ///   - rrset: the RRset in the answer; it has two records or more.
    ///   - weights: its records' weights with ``usesWeights``, otherwise anything.
    ///   - cells: the worker's cells; the RRset's own begin at `rrset.firstCell`.
    /// - Returns: 0..<`rrset.count`.
    mutating func first(of rrset: RotatedRRset, weights: Span<UInt32>, cells: inout RotationCells) -> Int

    /// Chooses the first record of an answer that has no room for all: it continues where the previous one ended, so
    /// that several answers together have all records.
    ///
    /// - Parameters:
    ///   - rrset: as in ``first(of:weights:cells:)``.
    ///   - cells: the worker's cells.
    /// - Returns: 0..<`rrset.count`.
    mutating func firstOfSome(of rrset: RotatedRRset, cells: inout RotationCells) -> Int

    /// Notes that an answer did not have room for all records.
    ///
    /// - Parameters:
    ///   - first: its first record, from ``firstOfSome(of:cells:)``.
    ///   - sent: how many records it had; below `rrset.count`.
    mutating func note(sent: Int, from first: Int, of rrset: RotatedRRset, cells: inout RotationCells)
}

extension RotationStrategy {
    /// The position of a record that a cell holds. The value may come from another RRset, or from this one when it had
    /// more records: any start is a fair one.
    @inline(__always)
    static func position(_ cell: Int64, of rrset: RotatedRRset) -> Int {
        let position = Int(truncatingIfNeeded: cell)
        return position >= 0 && position < Int(rrset.count) ? position : 0
    }

    /// The value for a cell after an answer with `sent` records that began with `first`.
    static func position(behind sent: Int, from first: Int, of rrset: RotatedRRset) -> Int64 {
        let next = first &+ sent
        return Int64(next < Int(rrset.count) ? next : next &- Int(rrset.count))
    }
}

/// Takes each record in turn.
struct RoundRobin: RotationStrategy {
    static let usesWeights = false

    static func cellCount(records count: Int) -> Int { 1 }

    @inline(__always)
    func first(of rrset: RotatedRRset, weights: Span<UInt32>, cells: inout RotationCells) -> Int {
        let first = Self.position(cells[Int(rrset.firstCell)], of: rrset)
        cells[Int(rrset.firstCell)] = first &+ 1 == Int(rrset.count) ? 0 : Int64(first &+ 1)
        return first
    }

    func firstOfSome(of rrset: RotatedRRset, cells: inout RotationCells) -> Int {
        Self.position(cells[Int(rrset.firstCell)], of: rrset)
    }

    func note(sent: Int, from first: Int, of rrset: RotatedRRset, cells: inout RotationCells) {
        cells[Int(rrset.firstCell)] = Self.position(behind: sent, from: first, of: rrset)
    }
}

/// Takes any record, uniformly: xorshift64*, seeded from the system.
struct RandomRotation: RotationStrategy {
    static let usesWeights = false

    static func cellCount(records count: Int) -> Int { 0 }

    private var state = UInt64.random(in: 1...UInt64.max)

    @inline(__always)
    mutating func first(of rrset: RotatedRRset, weights: Span<UInt32>, cells: inout RotationCells) -> Int {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        let random = (state &* 0x2545_F491_4F6C_DD1D) >> 32
        // The upper half of a 64-bit product maps 32 random bits to 0..<count with negligible bias.
        return Int((random &* UInt64(rrset.count)) >> 32)
    }

    mutating func firstOfSome(of rrset: RotatedRRset, cells: inout RotationCells) -> Int {
        first(of: rrset, weights: Span(), cells: &cells)
    }

    func note(sent: Int, from first: Int, of rrset: RotatedRRset, cells: inout RotationCells) {}
}

/// Takes each record as often as its weight says, spread out (smooth weighted round robin, as in nginx): every record
/// gains its weight, and the one with the most comes first and loses the sum of all weights.
struct WeightedRotation: RotationStrategy {
    static let usesWeights = true

    /// The stamp, then where the last answer without room for all records ended, then what each record has gained.
    static func cellCount(records count: Int) -> Int { 2 + count }

    func first(of rrset: RotatedRRset, weights: Span<UInt32>, cells: inout RotationCells) -> Int {
        let stampCell = Int(rrset.firstCell)
        let gains = stampCell &+ 2
        if cells[stampCell] != Int64(rrset.stamp) {
            for index in weights.indices { cells[gains &+ index] = 0 }
            cells[stampCell] = Int64(rrset.stamp)
        }
        var sum: Int64 = 0
        for index in weights.indices { sum &+= Int64(weights[index]) }
        // A record of weight 0 never comes first, unless all are 0: then each counts as 1.
        let allZero = sum == 0
        if allZero { sum = Int64(weights.count) }
        var best = -1
        var bestGain = Int64.min
        for index in weights.indices {
            let weight = allZero ? 1 : Int64(weights[index])
            guard weight > 0 else { continue }
            let gain = cells[gains &+ index] &+ weight
            cells[gains &+ index] = gain
            if gain > bestGain {
                best = index
                bestGain = gain
            }
        }
        guard best >= 0 else { return 0 }
        cells[gains &+ best] = bestGain &- sum
        return best
    }

    /// In turn: by weight, those with the highest would be in most answers, and others in none for a long time.
    func firstOfSome(of rrset: RotatedRRset, cells: inout RotationCells) -> Int {
        Self.position(cells[Int(rrset.firstCell) &+ 1], of: rrset)
    }

    func note(sent: Int, from first: Int, of rrset: RotatedRRset, cells: inout RotationCells) {
        cells[Int(rrset.firstCell) &+ 1] = Self.position(behind: sent, from: first, of: rrset)
    }
}
