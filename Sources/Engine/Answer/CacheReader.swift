/// A worker's view of the cache: who may have names outside the zone, and what is known of them. Plain pointers, for
/// counting a reference for each query would cost more than the query.
struct CacheReader: ~Copyable {
    private let table: CacheTable
    private let epochs: ReadEpochs
    /// The worker's number as a reader.
    private let reader: Int
    /// Keeps alive what the pointers show.
    private let cache: AnswerCache
    private var access: AccessList
    private var accessView: AccessList.View
    /// Whether there is an upstream: else names outside are refused.
    private(set) var isOn: Bool
    /// A rotation of its own: for upstreams' answers have no weights.
    private var strategy: any RotationStrategy
    private var cells = RotationCells()
    private var isReading = false
    private var time: MonotonicTime?

    init(cache: AnswerCache, reader: Int, settings: RecursionSettings, strategy: RotationStrategyName) {
        self.cache = cache
        table = cache.table
        epochs = cache.epochs
        self.reader = reader
        access = settings.access
        accessView = settings.access.view
        isOn = settings.isOn
        self.strategy = strategy == .random ? RandomRotation() : RoundRobin()
    }

    /// Goes by other settings from now on.
    mutating func adopt(_ settings: RecursionSettings) {
        access = settings.access
        accessView = settings.access.view
        isOn = settings.isOn
    }

    /// The time, read once for a batch.
    var now: MonotonicTime {
        @inline(__always)
        mutating get {
            if let time { return time }
            let now = MonotonicTime.now
            time = now
            return now
        }
    }

    /// Lets go of all that was found: to be called after a batch, and before waiting.
    @inline(__always)
    mutating func endBatch() {
        time = nil
        guard isReading else { return }
        isReading = false
        epochs.end(reader)
    }

    /// Has everything that is found stay until ``endBatch()``.
    @inline(__always)
    mutating func beginReading() {
        guard !isReading else { return }
        isReading = true
        epochs.begin(reader)
    }

    /// Fetches the first half of what ``find(_:_:_:hash:)`` will read.
    @inline(__always)
    func prefetchLink(_ hash: UInt64) {
        table.prefetchLink(hash)
    }

    /// Fetches the second half, once the first is there.
    @inline(__always)
    mutating func prefetchEntry(_ hash: UInt64) {
        beginReading()
        table.prefetchEntry(hash)
    }

    /// The answer to a question, fresh or not; good until ``endBatch()``.
    @inline(__always)
    mutating func find(_ name: RawSpan, _ type: RecordType, _ variant: AnswerVariant, hash: UInt64) -> CachedAnswer? {
        beginReading()
        return table.find(name, type, variant, hash: hash)
    }

    /// Whether a client may have names outside the zone.
    @inline(__always)
    func allows(_ client: IPAddress?) -> Bool {
        guard isOn, let client else { return false }
        return accessView.contains(client)
    }

    /// Which of an answer's addresses comes first.
    @inline(__always)
    mutating func first(of answer: CachedAnswer) -> Int {
        cells.grow(to: Int(answer.slot) &+ 1)
        let rrset = PackedRRset(count: UInt32(answer.rotation.count), firstCell: answer.slot)
        return strategy.first(of: rrset, weights: Span(), cells: &cells)
    }
}

extension PackedRRset {
    /// What a ``RotationStrategy`` without weights needs to know of an RRset.
    @inline(__always)
    init(count: UInt32, firstCell: UInt32) {
        self.init(
            type: .a, stride: 0, count: count, answerOffset: 0, answerByteCount: 0, additionalOffset: 0,
            additionalByteCount: 0, firstService: 0, firstWeight: 0, firstCell: firstCell, stamp: 0, list: 0)
    }
}
