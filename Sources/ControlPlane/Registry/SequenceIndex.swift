/// Ids in the order of their sequence numbers.
///
/// Kept in chunks, so that adding, removing and finding a place cost the logarithm of the count and one short move,
/// whatever the count is.
struct SequenceIndex: Sendable {
    /// An id and its place.
    struct Entry: Sendable, Equatable {
        var sequence: UInt64
        var id: String
    }

    private static let maximumChunkCount = 512

    /// None is empty.
    private var chunks: [[Entry]] = []
    /// The number of ids.
    private(set) var count = 0

    /// Adds an id; its sequence number must not be in use.
    mutating func insert(_ entry: Entry) {
        count += 1
        guard let chunk = chunk(for: entry.sequence) else {
            chunks.append([entry])
            return
        }
        let position = position(of: entry.sequence, in: chunk)
        guard chunks[chunk].count >= Self.maximumChunkCount else {
            chunks[chunk].insert(entry, at: position)
            return
        }
        if chunk == chunks.count - 1, position == chunks[chunk].count {
            // The usual case, a new last one: full chunks stay full.
            chunks.append([entry])
            return
        }
        let half = chunks[chunk].count / 2
        var upper = Array(chunks[chunk][half...])
        chunks[chunk].removeSubrange(half...)
        if position < half {
            chunks[chunk].insert(entry, at: position)
        } else {
            upper.insert(entry, at: position - half)
        }
        chunks.insert(upper, at: chunk + 1)
    }

    /// Removes the id with that sequence number, if there is one.
    mutating func remove(sequence: UInt64) {
        guard let chunk = chunk(for: sequence) else { return }
        let position = position(of: sequence, in: chunk)
        guard position < chunks[chunk].count, chunks[chunk][position].sequence == sequence else { return }
        chunks[chunk].remove(at: position)
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
        count -= 1
    }

    /// Whether there is an id with that sequence number.
    func contains(sequence: UInt64) -> Bool {
        guard let chunk = chunk(for: sequence) else { return false }
        let position = position(of: sequence, in: chunk)
        return position < chunks[chunk].count && chunks[chunk][position].sequence == sequence
    }

    /// Calls `body` with each entry above `sequence` in ascending order, until it returns `false`.
    func forEach(after sequence: UInt64?, _ body: (Entry) -> Bool) {
        guard !chunks.isEmpty else { return }
        var chunk = 0
        var position = 0
        if let sequence {
            guard sequence < .max else { return }
            chunk = self.chunk(for: sequence + 1) ?? 0
            position = self.position(of: sequence + 1, in: chunk)
        }
        while chunk < chunks.count {
            while position < chunks[chunk].count {
                if !body(chunks[chunk][position]) { return }
                position += 1
            }
            chunk += 1
            position = 0
        }
    }

    /// The chunk that has `sequence`, or would: the last one that begins at or below it, or the first.
    private func chunk(for sequence: UInt64) -> Int? {
        guard !chunks.isEmpty else { return nil }
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle][0].sequence <= sequence { low = middle + 1 } else { high = middle }
        }
        return max(low - 1, 0)
    }

    /// Where in a chunk `sequence` is, or would be.
    private func position(of sequence: UInt64, in chunk: Int) -> Int {
        var low = 0
        var high = chunks[chunk].count
        while low < high {
            let middle = (low + high) / 2
            if chunks[chunk][middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
