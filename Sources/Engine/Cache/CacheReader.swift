/// A worker as a reader of the cache.
///
/// Plain pointers, for counting a reference for each query would cost more than the query.
struct CacheReader: ~Copyable {
    private let table: CacheTable
    private let epochs: ReadEpochs
    /// The worker's number as a reader.
    private let number: Int
    /// Keeps alive what the pointers show.
    private let cache: AnswerCache

    init(_ cache: AnswerCache, number: Int) {
        self.cache = cache
        table = cache.table
        epochs = cache.epochs
        self.number = number
    }

    /// Reads: what `body` finds stays as long as that runs, whatever others write meanwhile.
    ///
    /// Not to be called from within `body`, which the law of exclusivity enforces: the inner call would end what the
    /// outer one still reads. So `body` only reads and writes replies; it calls nobody who might answer another query.
    @inline(__always)
    mutating func read<Result>(_ body: (inout CacheReading) -> Result) -> Result {
        var reading = CacheReading(table, epochs, number)
        defer { reading.end() }
        return body(&reading)
    }

    /// Puts an answer into the cache, and shows it to `body`, for which the same holds as in ``read(_:)``.
    ///
    /// - Parameter isKept: whether others may find it. One that they may not, or that there is no room for, is shown
    ///   all the same.
    /// - Returns: `false` when it is too long to be a message.
    mutating func insert(
        _ content: AnswerContent, _ key: CacheKey, _ times: AnswerTimes, isKept: Bool, _ body: (CachedAnswer) -> Void
    ) -> Bool {
        guard let stored = StoredAnswer.make(content, key: key, times: times) else { return false }
        let cache = cache
        read { reading in
            // Before others can have it: from then on they may replace it, and free it once nobody reads.
            reading.begin()
            cache.take(stored, isKept: isKept)
            body(CachedAnswer(stored, in: reading))
        }
        return true
    }
}

/// What is read of the cache at a stretch: for a batch of queries, or for one answer. Made by ``CacheReader/read(_:)``
/// alone, and gone with it.
struct CacheReading: ~Copyable, ~Escapable {
    private let table: CacheTable
    private let epochs: ReadEpochs
    private let number: Int
    /// Whether the epoch was noted, which costs a fence: only once something is read.
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

    /// Fetches the first half of what ``find(_:_:_:hash:)`` will read.
    @inline(__always)
    func prefetchLink(_ hash: UInt64) {
        table.prefetchLink(hash)
    }

    /// Fetches the second half, once the first is there.
    @inline(__always)
    mutating func prefetchEntry(_ hash: UInt64) {
        begin()
        table.prefetchEntry(hash)
    }

    /// The answer to a question, fresh or not.
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
