import Synchronization

/// The answers of upstreams, shared by all workers.
///
/// Reading takes no lock, allocates nothing and counts no reference. The cache is a hash table of atomic links to
/// immutable entries, which are freed once no reader can have them (``ReadEpochs``). Writing, which follows an
/// upstream's answer, takes the lock of one shard.
final class AnswerCache: Sendable {
    /// The octets of memory per allowed entry: the cache is bounded by number and by memory.
    static let bytesPerEntry = 1024
    /// How many entries make a shard worth its lock.
    private static let entriesPerShard = 1024
    private static let maximumShardCount = 16

    /// The table that workers read.
    let table: CacheTable
    /// Tells when workers read it.
    let epochs: ReadEpochs
    private let shards: [CacheShard]
    private let maximumEntries: Int
    private let maximumBytes: Int
    private let entryCount = Atomic<Int>(0)
    private let byteCount = Atomic<Int>(0)
    private let evictions = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - maximumEntries: 0: nothing is kept.
    ///   - readerCount: how many threads read.
    init(maximumEntries: Int, readerCount: Int) throws(EngineError) {
        self.maximumEntries = maximumEntries
        maximumBytes = maximumEntries * Self.bytesPerEntry
        epochs = ReadEpochs(readerCount: readerCount)
        let shardCount = min(max(maximumEntries / Self.entriesPerShard, 1), Self.maximumShardCount)
        shards = (0..<shardCount).map { CacheShard(number: $0, of: shardCount) }
        table = try CacheTable(minimumBucketCount: max(maximumEntries, Self.maximumShardCount))
    }

    deinit {
        for shard in shards { shard.freeAll() }
        table.deallocate()
        epochs.deallocate()
    }

    // MARK: Writing

    /// Takes over an answer that nobody else has; it replaces the one to the same question, kept or not. Only a reader
    /// that has begun before may rely on it: it may be freed at once.
    ///
    /// - Parameter isKept: whether it may be found. If not, or if there is no room, it only waits to be freed.
    func take(_ answer: StoredAnswer, isKept: Bool = true) {
        let isKept = isKept && maximumEntries > 0 && answer.byteCount <= maximumBytes
        shard(answer.hash).withLock { state in
            if isKept {
                insert(answer, &state)
            } else {
                removeOutdated(by: answer, &state)
                state.retired.append((answer, epochs.stamp()))
            }
            state.freeRetired(before: epochs.horizon())
        }
    }

    private func insert(_ answer: StoredAnswer, _ state: inout CacheShard.State) {
        if let old = table.find(answer.name, answer.type, answer.variant, hash: answer.hash) {
            // The new answer inherits the place in the order of eviction, and whether it was asked for.
            answer.set(slot: old.slot)
            if old.has(CacheMarks.visited) { _ = answer.set(CacheMarks.visited) }
            answer.setNext(old.nextAddress)
            table.relink(old, to: answer.address)
            state.entries[state.index(of: old.slot)] = answer.address
            retire(old, &state)
        } else {
            answer.set(slot: state.takeSlot(for: answer.address))
            table.insert(answer)
        }
        entryCount.wrappingAdd(1, ordering: .relaxed)
        byteCount.wrappingAdd(answer.byteCount, ordering: .relaxed)
        makeRoom(sparing: answer, &state)
    }

    /// Removes the answer to the same question: it does not stand in later for a newer one that was not kept.
    private func removeOutdated(by answer: StoredAnswer, _ state: inout CacheShard.State) {
        guard let old = table.find(answer.name, answer.type, answer.variant, hash: answer.hash) else { return }
        table.relink(old, to: old.nextAddress)
        state.giveBack(old.slot)
        retire(old, &state)
    }

    /// Removes answers.
    ///
    /// - Parameters:
    ///   - name: in wire form and lower case; `nil`: all names.
    ///   - subtree: whether to remove names below it too.
    /// - Returns: how many were removed.
    func remove(_ name: [UInt8]?, subtree: Bool) -> Int {
        var removed = 0
        for shard in shards {
            shard.withLock { state in
                for address in state.entries {
                    guard let answer = StoredAnswer(address: address) else { continue }
                    if let name {
                        let own = answer.name.array
                        guard subtree ? DomainName.isName(own, atOrBelow: name) : own == name else { continue }
                    }
                    table.relink(answer, to: answer.nextAddress)
                    state.giveBack(answer.slot)
                    retire(answer, &state)
                    removed += 1
                }
                state.freeRetired(before: epochs.horizon())
            }
        }
        return removed
    }

    /// Its present contents, and how many entries were evicted.
    var statistics: CacheStatistics {
        CacheStatistics(
            entries: UInt64(max(entryCount.load(ordering: .relaxed), 0)),
            bytes: UInt64(max(byteCount.load(ordering: .relaxed), 0)),
            evictions: evictions.load(ordering: .relaxed))
    }

    private func shard(_ hash: UInt64) -> CacheShard { shards[table.bucket(hash) % shards.count] }

    private func makeRoom(sparing answer: StoredAnswer, _ state: inout CacheShard.State) {
        while entryCount.load(ordering: .relaxed) > maximumEntries || byteCount.load(ordering: .relaxed) > maximumBytes,
            let victim = state.evict(sparing: answer.slot)
        {
            table.relink(victim, to: victim.nextAddress)
            retire(victim, &state)
            evictions.wrappingAdd(1, ordering: .relaxed)
        }
    }

    /// Passes on an entry that can't be found any longer, to be freed.
    private func retire(_ answer: StoredAnswer, _ state: inout CacheShard.State) {
        entryCount.wrappingSubtract(1, ordering: .relaxed)
        byteCount.wrappingSubtract(answer.byteCount, ordering: .relaxed)
        state.retired.append((answer, epochs.stamp()))
    }
}
