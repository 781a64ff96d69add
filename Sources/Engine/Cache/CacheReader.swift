/// A worker as a reader of the cache.
///
/// It uses plain pointers, because counting a reference for each query would cost more than the query.
struct CacheReader: ~Copyable {
    private let table: CacheTable
    private let epochs: ReadEpochs
    /// The worker's number as a reader.
    private let number: Int
    /// Keeps the memory behind the pointers alive.
    private let cache: AnswerCache

    init(_ cache: AnswerCache, number: Int) {
        self.cache = cache
        table = cache.table
        epochs = cache.epochs
        self.number = number
    }

    /// Reads the cache. What `body` finds stays valid while it runs, whatever others write meanwhile.
    ///
    /// It must not be called within `body`, which the law of exclusivity enforces: the inner call would end the epoch
    /// that the outer one relies on. So `body` only reads and writes replies, and calls nothing that might answer
    /// another query.
    @inline(__always)
    mutating func read<Result>(_ body: (inout CacheReading) -> Result) -> Result {
        var reading = CacheReading(table, epochs, number)
        defer { reading.end() }
        return body(&reading)
    }

    /// Puts an answer into the cache, and passes it to `body`, for which the same holds as in ``read(_:)``.
    ///
    /// - Parameter isKept: whether others may find it. If they may not, or if there is no room, `body` gets it all the
    ///   same.
    /// - Returns: `false` if it is too long for a message.
    mutating func insert(
        _ content: AnswerContent, key: CacheKey, times: AnswerTimes, isKept: Bool, _ body: (CachedAnswer) -> Void
    ) -> Bool {
        guard let stored = StoredAnswer.make(content, key: key, times: times) else { return false }
        let cache = cache
        read { reading in
            // Begin before others can find it: from then on they may replace it, and free it once nobody reads.
            reading.begin()
            cache.take(stored, isKept: isKept)
            body(CachedAnswer(stored, in: reading))
        }
        return true
    }
}

/// One scope of reading the cache: for a batch of queries, or for one answer. Only ``CacheReader/read(_:)`` makes it,
/// and it ends with that call.
struct CacheReading: ~Copyable, ~Escapable {
    private let table: CacheTable
    private let epochs: ReadEpochs
    private let number: Int
    /// Whether the epoch has begun. That costs a fence, so it waits until something is read.
    private var hasBegun = false
    private var time: MonotonicTime?

    @inline(__always)
    @_lifetime(immortal)
    fileprivate init(_ table: CacheTable, _ epochs: ReadEpochs, _ number: Int) {
        self.table = table
        self.epochs = epochs
        self.number = number
    }

    @inline(__always)
    fileprivate mutating func begin() {
        guard !hasBegun else { return }
        hasBegun = true
        epochs.begin(number)
    }

    @inline(__always)
    fileprivate func end() {
        if hasBegun { epochs.end(number) }
    }

    /// The time, read once.
    var now: MonotonicTime {
        @inline(__always)
        mutating get {
            if let time { return time }
            let now = MonotonicTime.now
            time = now
            return now
        }
    }

    /// Prefetches the first half of what ``find(_:_:_:hash:)`` will read.
    @inline(__always)
    func prefetchLink(_ hash: UInt64) {
        table.prefetchLink(hash)
    }

    /// Prefetches the second half, once the first has arrived.
    @inline(__always)
    mutating func prefetchEntry(_ hash: UInt64) {
        begin()
        table.prefetchEntry(hash)
    }

    /// The answer to a question, fresh or expired.
    ///
    /// - Parameters:
    ///   - name: QNAME in any case.
    ///   - hash: its ``NameHash`` with the type.
    @inline(__always)
    @_lifetime(copy self)
    mutating func find(_ name: RawSpan, _ type: RecordType, _ variant: AnswerVariant, hash: UInt64) -> CachedAnswer? {
        begin()
        guard let stored = table.find(name, type, variant, hash: hash) else { return nil }
        return CachedAnswer(stored, in: self)
    }
}
