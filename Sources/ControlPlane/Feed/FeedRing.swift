/// The newest changes, in blocks. When there are too many, the oldest blocks go.
struct FeedRing: Sendable {
    private var blocks: [FeedBlock?] = []
    /// The number of the first block that is kept.
    private var first = 0
    private var changeCount = 0
    private var octets = 0

    /// Adds blocks, and drops the oldest as long as enough is left without them. The last one stays.
    ///
    /// - Returns: the dropped ones.
    mutating func append(_ new: [FeedBlock], _ limits: ChangeFeed.Limits) -> [FeedBlock] {
        for block in new {
            blocks.append(block)
            changeCount += block.entries.count
            octets += block.octets
        }
        var dropped: [FeedBlock] = []
        while first < blocks.count - 1 {
            guard let oldest = blocks[first],
                changeCount - oldest.entries.count >= limits.changes || octets > limits.octets
            else { break }
            changeCount -= oldest.entries.count
            octets -= oldest.octets
            dropped.append(oldest)
            blocks[first] = nil
            first += 1
        }
        if first > 1024, first > blocks.count / 2 {
            blocks.removeFirst(first)
            first = 0
        }
        return dropped
    }

    /// Blocks with the changes after a position.
    ///
    /// - Parameter limit: how many changes they have, about, at most.
    /// - Returns: `nil` if some of these are gone.
    func blocks(after position: UInt64, limit: Int) -> [FeedBlock]? {
        guard first < blocks.count, let oldest = blocks[first], oldest.firstIndex <= position + 1 else { return nil }
        // The first one that ends after the position.
        var (low, high) = (first, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            if let block = blocks[middle], block.lastIndex > position { high = middle } else { low = middle + 1 }
        }
        var found: [FeedBlock] = []
        var count = 0
        for place in low..<blocks.count {
            guard count < limit, let block = blocks[place] else { break }
            found.append(block)
            count += block.entries.count
        }
        return found
    }
}
