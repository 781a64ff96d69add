/// Sequence numbers in ascending order. They are in chunks, so that adding or removing one moves only a few others.
struct SequenceSet: Sendable {
    private static let chunkLimit = 512

    /// No chunk is empty.
    private var chunks: [[UInt64]] = []
    /// The number of elements.
    private(set) var count = 0

    /// All numbers, ascending.
    var numbers: FlattenSequence<[[UInt64]]> { chunks.joined() }

    /// Adds a number that is not there yet.
    mutating func insert(_ number: UInt64) {
        count += 1
        guard !chunks.isEmpty else { return chunks.append([number]) }
        let chunk = chunk(of: number)
        let position = chunks[chunk].position { $0 < number }
        guard chunks[chunk].count >= Self.chunkLimit else { return chunks[chunk].insert(number, at: position) }
        if chunk == chunks.count - 1, position == chunks[chunk].count {
            // The usual case is a new last number: full chunks stay full.
            return chunks.append([number])
        }
        let upper = Array(chunks[chunk][(Self.chunkLimit / 2)...])
        chunks[chunk].removeSubrange((Self.chunkLimit / 2)...)
        chunks.insert(upper, at: chunk + 1)
        let half = number < upper[0] ? chunk : chunk + 1
        chunks[half].insert(number, at: chunks[half].position { $0 < number })
    }

    /// Removes a number if it is there.
    mutating func remove(_ number: UInt64) {
        guard !chunks.isEmpty else { return }
        let chunk = chunk(of: number)
        let position = chunks[chunk].position { $0 < number }
        guard position < chunks[chunk].count, chunks[chunk][position] == number else { return }
        count -= 1
        chunks[chunk].remove(at: position)
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
    }

    /// The chunk that has a number, or would have it.
    private func chunk(of number: UInt64) -> Int {
        max(chunks.position { $0[0] <= number } - 1, 0)
    }
}
