import CEvent

/// A worker's own rotation state: 64-bit cells in which a ``RotationStrategy`` records what comes next.
///
/// The cells lie in chunks, so that growing copies nothing: even a zone of a million names grows without a pause.
@safe
struct RotationCells: ~Copyable {
    /// The number of cells in a chunk.
    static let chunkSize = 1 << 14
    /// The most chunks there can be.
    static let maximumChunkCount = 1 << 14
    /// The most cells there can be: 268 million, 2 GiB of memory.
    static let maximumCount = chunkSize * maximumChunkCount

    private let chunks: UnsafeMutablePointer<UnsafeMutablePointer<Int64>>
    private var chunkCount = 0

    /// No cells yet.
    init() {
        // Unsafe: freed in deinit; a chunk pointer is read only below chunkCount, where one has been written.
        unsafe chunks = .allocate(capacity: Self.maximumChunkCount)
    }

    deinit {
        for index in 0..<chunkCount { unsafe chunks[index].deallocate() }
        unsafe chunks.deallocate()
    }

    /// Makes cells 0..<`count` usable; new ones are 0.
    mutating func grow(to count: Int) {
        let wanted = min((count + Self.chunkSize - 1) / Self.chunkSize, Self.maximumChunkCount)
        while chunkCount < wanted {
            // Unsafe: chunkCount is below maximumChunkCount.
            let chunk = UnsafeMutablePointer<Int64>.allocate(capacity: Self.chunkSize)
            unsafe chunk.initialize(repeating: 0, count: Self.chunkSize)
            unsafe (chunks + chunkCount).initialize(to: chunk)
            chunkCount += 1
        }
    }

    /// Prefetches the cell with that number without waiting for it.
    @inline(__always)
    func prefetch(_ index: Int) {
        guard index >= 0, index / Self.chunkSize < chunkCount else { return }
        // Unsafe: as in the subscript's getter. Prefetching reads nothing.
        unsafe prefetch_line(chunks[index / Self.chunkSize] + index % Self.chunkSize)
    }

    /// The cell with that number; 0 beyond those that are usable.
    subscript(index: Int) -> Int64 {
        @inline(__always)
        get {
            guard index >= 0, index / Self.chunkSize < chunkCount else { return 0 }
            // Unsafe: the chunk exists because of the check above, and has chunkSize cells.
            return unsafe chunks[index / Self.chunkSize][index % Self.chunkSize]
        }
        @inline(__always)
        set {
            guard index >= 0, index / Self.chunkSize < chunkCount else { return }
            // Unsafe: as in the getter.
            unsafe chunks[index / Self.chunkSize][index % Self.chunkSize] = newValue
        }
    }
}
