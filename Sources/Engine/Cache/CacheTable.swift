import CEvent
import Synchronization

/// The cache's hash table: atomic links to the first entry in each bucket, and from each entry to the next.
///
/// It is a plain pointer, copied without touching a reference count; the cache owns the memory. Links are written under
/// the lock of the shard that a bucket belongs to, and read without a lock.
@safe
struct CacheTable: @unchecked Sendable {
    // Sendable: everything in the memory is atomic.

    private let buckets: UnsafeMutablePointer<Atomic<UInt>>
    private let mask: Int

    /// - Throws: ``EngineError/resourceExhausted(_:)`` if memory is short.
    init(minimumBucketCount: Int) throws(EngineError) {
        var count = 1
        while count < minimumBucketCount { count *= 2 }
        mask = count - 1
        // Unsafe: zero octets are valid atomic zeros; freed by deallocate(). The system provides the memory on first
        // use.
        guard let block = unsafe calloc(count, MemoryLayout<Atomic<UInt>>.stride) else {
            throw .resourceExhausted("memory")
        }
        unsafe buckets = block.bindMemory(to: Atomic<UInt>.self, capacity: count)
    }

    /// Frees the memory.
    func deallocate() {
        unsafe CEvent.free(buckets)
    }

    /// The bucket of a hash.
    @inline(__always)
    func bucket(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 8) & mask }

    // Unsafe in all that follows: a bucket is within the table.

    private func first(_ hash: UInt64) -> StoredAnswer? {
        StoredAnswer(address: unsafe buckets[bucket(hash)].load(ordering: .acquiring))
    }

    // MARK: Reading, in a CacheReading or under the shard's lock

    /// Prefetches the link to what ``prefetchEntry(_:)`` will prefetch.
    @inline(__always)
    func prefetchLink(_ hash: UInt64) {
        unsafe prefetch_line(buckets + bucket(hash))
    }

    /// Prefetches what ``find(_:_:_:hash:)`` will read.
    @inline(__always)
    func prefetchEntry(_ hash: UInt64) {
        first(hash)?.prefetch()
    }

    /// The answer to a question, fresh or expired.
    ///
    /// - Parameters:
    ///   - name: QNAME in any case.
    ///   - hash: its ``NameHash`` with the type.
    @inline(__always)
    func find(_ name: RawSpan, _ type: RecordType, _ variant: AnswerVariant, hash: UInt64) -> StoredAnswer? {
        var next = first(hash)
        while let answer = next {
            if answer.answers(name, type, variant, hash: hash) { return answer }
            next = StoredAnswer(address: answer.nextAddress)
        }
        return nil
    }

    // MARK: Writing, under the shard's lock

    /// Puts an entry at the front of its bucket.
    func insert(_ answer: StoredAnswer) {
        let bucket = bucket(answer.hash)
        answer.setNext(unsafe buckets[bucket].load(ordering: .relaxed))
        unsafe buckets[bucket].store(answer.address, ordering: .releasing)
    }

    /// Makes the link to an entry lead to another one. The entry itself still leads on, for readers that are at it.
    func relink(_ answer: StoredAnswer, to address: UInt) {
        var previous = first(answer.hash)
        if previous?.address == answer.address {
            return unsafe buckets[bucket(answer.hash)].store(address, ordering: .releasing)
        }
        while let entry = previous, entry.nextAddress != answer.address {
            previous = StoredAnswer(address: entry.nextAddress)
        }
        previous?.setNext(address)
    }
}
