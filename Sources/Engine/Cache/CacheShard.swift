import Synchronization

/// The writers' side of one part of the cache: its entries, their order of eviction, and those that wait to be freed.
final class CacheShard: Sendable {
    /// What the lock protects.
    struct State {
        /// The addresses of the entries by their index; 0: a free place.
        var entries: [UInt] = []
        /// Entries that can't be found any longer, with their stamps: a reader may still be using them. There are only
        /// as many as are replaced while one batch of queries is answered.
        var retired: [(answer: StoredAnswer, stamp: UInt64)] = []
        private var order = SieveList()
        private var freeIndexes: [Int] = []
        private let number: Int
        private let shardCount: Int

        fileprivate init(number: Int, shardCount: Int) {
            self.number = number
            self.shardCount = shardCount
        }

        /// Slots are numbered across all shards, so that workers can keep something for each.
        func index(of slot: UInt32) -> Int { Int(slot) / shardCount }

        private func slot(of index: Int) -> UInt32 { UInt32(truncatingIfNeeded: index * shardCount + number) }

        /// Assigns a place to a new entry.
        mutating func takeSlot(for address: UInt) -> UInt32 {
            let index = freeIndexes.popLast() ?? entries.count
            if index == entries.count { entries.append(address) } else { entries[index] = address }
            order.insert(UInt32(truncatingIfNeeded: index))
            return slot(of: index)
        }

        /// Frees the place of an entry.
        mutating func giveBack(_ slot: UInt32) {
            let index = index(of: slot)
            order.remove(UInt32(truncatingIfNeeded: index))
            entries[index] = 0
            freeIndexes.append(index)
        }

        /// Removes and returns the entry that is to be evicted.
        mutating func evict(sparing spared: UInt32) -> StoredAnswer? {
            // Moved out for the call: the list changes while `entries`, in the same struct, is read.
            var order = SieveList()
            swap(&order, &self.order)
            let index = order.evict(sparing: UInt32(truncatingIfNeeded: index(of: spared))) { index in
                StoredAnswer(address: entries[Int(index)])?.clear(CacheMarks.visited) ?? false
            }
            swap(&order, &self.order)
            guard let index else { return nil }
            let answer = StoredAnswer(address: entries[Int(index)])
            entries[Int(index)] = 0
            freeIndexes.append(Int(index))
            return answer
        }

        /// Frees what no reader can have any more.
        mutating func freeRetired(before horizon: UInt64) {
            guard let first = retired.first, first.stamp < horizon else { return }
            retired.removeAll { answer, stamp in
                guard stamp < horizon else { return false }
                answer.free()
                return true
            }
        }
    }

    private let state: Mutex<State>

    init(number: Int, of shardCount: Int) {
        state = Mutex(State(number: number, shardCount: shardCount))
    }

    func withLock<Result>(_ body: (inout sending State) -> sending Result) -> sending Result {
        state.withLock(body)
    }

    /// Frees everything, at the end.
    func freeAll() {
        state.withLock { state in
            for address in state.entries { StoredAnswer(address: address)?.free() }
            for (answer, _) in state.retired { answer.free() }
            state.entries = []
            state.retired = []
        }
    }
}
