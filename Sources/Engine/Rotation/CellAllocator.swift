/// Assigns every RRset its cells in the workers' ``RotationCells``. It deals only in numbers; the workers own the
/// cells.
///
/// An RRset keeps its cells as long as it exists, so that its rotation continues whatever else changes.
struct CellAllocator {
    /// A run of cells.
    struct Cells: Hashable {
        /// The first cell.
        var first: UInt32
        /// New for each allocation, so that a worker notices cells that another RRset has used.
        var stamp: UInt32
    }

    /// One more than the highest cell ever assigned.
    private(set) var count = 0
    private var free: [Int: [UInt32]] = [:]
    private var lastStamp: UInt32 = 0

    /// Whether `size` more cells are available, divided into runs of ``roundedSize(_:)`` cells.
    func hasRoom(for size: Int) -> Bool { count + size <= RotationCells.maximumCount }

    /// The number of cells that a run for `size` cells really gets. Large runs come in a few sizes, so that an RRset
    /// that grows record by record leaves runs that others can use.
    static func roundedSize(_ size: Int) -> Int {
        guard size > 64 else { return size }
        // There are eight sizes between a power of two and the next.
        let step = 1 << (Int.bitWidth - 1 - size.leadingZeroBitCount - 3)
        return (size + step - 1) / step * step
    }

    /// Allocates `size` cells in a row. Ask ``hasRoom(for:)`` first.
    mutating func allocate(_ size: Int) -> Cells {
        let size = Self.roundedSize(size)
        lastStamp &+= 1
        if let first = free[size]?.popLast() { return Cells(first: first, stamp: lastStamp) }
        defer { count += size }
        return Cells(first: UInt32(count), stamp: lastStamp)
    }

    /// Frees `size` cells.
    mutating func release(first: UInt32, size: Int) {
        free[Self.roundedSize(size), default: []].append(first)
    }
}
