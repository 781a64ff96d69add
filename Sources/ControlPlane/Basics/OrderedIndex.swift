/// Ids in the order of their sequence numbers.
typealias SequenceIndex = OrderedIndex<SequenceEntry>

/// An id and its sequence number.
struct SequenceEntry: OrderedEntry, Equatable {
    var sequence: UInt64
    var id: String

    var place: UInt64 { sequence }
}

/// Names of services in order.
typealias NameIndex = OrderedIndex<NameEntry>

/// A name, which is its own place in the order.
struct NameEntry: OrderedEntry, Equatable {
    var name: String

    var place: String { name }
}

/// An entry that has a place in an order.
protocol OrderedEntry: Sendable {
    associatedtype Place: Comparable & Sendable

    /// Its position in the order; no other entry has the same.
    var place: Place { get }
}

/// Entries in the order of their places.
///
/// They are kept in chunks, so that adding, removing and finding an entry cost the logarithm of the count and one short
/// move.
struct OrderedIndex<Entry: OrderedEntry>: Sendable {
    private static var maximumChunkCount: Int { 512 }

    /// No chunk is empty.
    private var chunks: [[Entry]] = []
    /// The number of entries.
    private(set) var count = 0

    /// An empty index.
    init() {}

    /// Adds an entry; its place must not be in use.
    mutating func insert(_ entry: Entry) {
        count += 1
        guard let chunk = chunk(for: entry.place) else {
            chunks.append([entry])
            return
        }
        let position = position(of: entry.place, in: chunk)
        guard chunks[chunk].count >= Self.maximumChunkCount else {
            chunks[chunk].insert(entry, at: position)
            return
        }
        if chunk == chunks.count - 1, position == chunks[chunk].count {
            // The usual case is a new last entry: full chunks stay full.
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

    /// Removes the entry at a place, if there is one.
    mutating func remove(_ place: Entry.Place) {
        guard let chunk = chunk(for: place) else { return }
        let position = position(of: place, in: chunk)
        guard position < chunks[chunk].count, chunks[chunk][position].place == place else { return }
        chunks[chunk].remove(at: position)
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
        count -= 1
    }

    /// Whether there is an entry at a place.
    func contains(_ place: Entry.Place) -> Bool {
        guard let chunk = chunk(for: place) else { return false }
        let position = position(of: place, in: chunk)
        return position < chunks[chunk].count && chunks[chunk][position].place == place
    }

    /// Calls `body` with each entry after a place in ascending order, until it returns `false`.
    func forEach(after place: Entry.Place?, _ body: (Entry) -> Bool) {
        guard !chunks.isEmpty else { return }
        var chunk = 0
        var position = 0
        if let place {
            chunk = self.chunk(for: place) ?? 0
            position = self.position(of: place, in: chunk)
            if position < chunks[chunk].count, chunks[chunk][position].place == place { position += 1 }
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

    /// The chunk that has a place, or would have it: the last one that begins at or before it, or the first.
    private func chunk(for place: Entry.Place) -> Int? {
        guard !chunks.isEmpty else { return nil }
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle][0].place <= place { low = middle + 1 } else { high = middle }
        }
        return max(low - 1, 0)
    }

    /// The position that a place has in a chunk, or would have.
    private func position(of place: Entry.Place, in chunk: Int) -> Int {
        var low = 0
        var high = chunks[chunk].count
        while low < high {
            let middle = (low + high) / 2
            if chunks[chunk][middle].place < place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
