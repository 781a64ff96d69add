/// Gives every RRset its cells in the workers' ``RotationCells``: numbers only, the cells are the workers' own.
///
/// An RRset keeps its cells as long as it exists, so that its rotation goes on whatever else changes.
struct CellAllocator {
    /// A run of cells.
    struct Cells: Hashable {
        /// The first cell.
        var first: UInt32
        /// New for each allocation, so that a worker knows cells that another RRset has used.
        var stamp: UInt32
    }

    /// One more than the highest cell ever given out.
    private(set) var count = 0
    private var free: [Int: [UInt32]] = [:]
    private var lastStamp: UInt32 = 0

    /// Whether `size` more cells can be had, however they are divided.
    func hasRoom(for size: Int) -> Bool { count + size <= RotationCells.maximumCount }

    /// Takes `size` cells in a row. Ask ``hasRoom(for:)`` first.
    mutating func allocate(_ size: Int) -> Cells {
        lastStamp &+= 1
        if let first = free[size]?.popLast() { return Cells(first: first, stamp: lastStamp) }
        defer { count += size }
        return Cells(first: UInt32(count), stamp: lastStamp)
    }

    /// Gives `size` cells back.
    mutating func release(first: UInt32, size: Int) {
        free[size, default: []].append(first)
    }
}
