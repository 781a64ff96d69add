import CEvent
import Synchronization

/// One answer of the cache in one piece of memory: these fields, then its name, the offsets of its TTLs, its records,
/// and a query for the name of ours that they lead to, if they do. Nothing in it changes once workers can find it, but
/// for what is atomic.
struct CacheEntry: ~Copyable {
    /// The next entry with the same place in the table; 0: there is none.
    let next = Atomic<UInt>(0)
    /// From when on it is to be asked for again, in nanoseconds of ``MonotonicTime``, see
    /// ``StoredAnswer/claimRefresh(now:)``.
    let refreshTime: Atomic<Int64>
    /// What happened to it, see ``CacheMarks``.
    let marks = Atomic<UInt8>(0)
    let nameByteCount: UInt8
    let variant: AnswerVariant
    let code: UInt8
    let type: RecordType
    let answerCount: UInt16
    let authorityCount: UInt16
    let ttlCount: UInt16
    let bodyByteCount: UInt16
    let rotation: RotatedRecords
    /// Octets of the name of ours that its aliases lead to; 0: they don't.
    let ownNameByteCount: UInt8
    /// Its place in the order of eviction, and in the workers' rotation. Written before it can be found.
    var slot: UInt32 = 0
    let hash: UInt64
    let times: AnswerTimes

    fileprivate init(_ content: AnswerContent, key: CacheKey, hash: UInt64, times: AnswerTimes) {
        nameByteCount = UInt8(truncatingIfNeeded: key.name.count)
        variant = key.variant
        code = UInt8(truncatingIfNeeded: content.code)
        type = key.type
        answerCount = content.answerCount
        authorityCount = content.authorityCount
        ttlCount = UInt16(truncatingIfNeeded: content.ttlOffsets.count)
        bodyByteCount = UInt16(truncatingIfNeeded: content.body.count)
        rotation = content.rotation ?? RotatedRecords(first: 0, count: 0, dataByteCount: 0)
        if case .own(let name, _) = content.continuation {
            ownNameByteCount = UInt8(truncatingIfNeeded: name.count)
        } else {
            ownNameByteCount = 0
        }
        self.hash = hash
        self.times = times
        refreshTime = Atomic(times.refresh.nanoseconds)
    }
}

/// Bits of ``CacheEntry/marks``.
enum CacheMarks {
    /// It was asked for since the hand of the order of eviction passed.
    static let asked: UInt8 = 1
    /// It was asked for since it was fetched.
    static let popular: UInt8 = 2
}

/// Where a ``CacheEntry`` is, for those who write the cache: a plain pointer, copied without touching a reference
/// count. Good until ``free()``: between being made and being taken in by the cache, and then under the lock of its
/// shard. Who only reads is shown a ``CachedAnswer``.
@safe
struct StoredAnswer: @unchecked Sendable {
    // Sendable: what is not atomic is not written while others can find the entry.
    private let entry: UnsafeMutablePointer<CacheEntry>

    // Unsafe in all of these: the entry is there, see above, and has as many octets as its fields say.

    /// The entry of that address; `nil` for 0.
    @inline(__always)
    init?(address: UInt) {
        guard let entry = unsafe UnsafeMutablePointer<CacheEntry>(bitPattern: address) else { return nil }
        unsafe self.entry = entry
    }

    /// Makes an entry, which must be freed.
    ///
    /// - Returns: `nil` when the answer is too long to be a message.
    static func make(_ content: AnswerContent, key: CacheKey, times: AnswerTimes) -> StoredAnswer? {
        guard content.body.count <= MessageSize.maximum, content.ttlOffsets.count <= Int(UInt16.max),
            key.name.count <= DomainName.maximumByteCount
        else { return nil }
        let head = MemoryLayout<CacheEntry>.stride
        let own = content.ownQuery(type: key.type)
        let tail = key.name.count + 2 * content.ttlOffsets.count + content.body.count + own.count
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: head + tail, alignment: MemoryLayout<CacheEntry>.alignment)
        let entry = unsafe block.bindMemory(to: CacheEntry.self, capacity: 1)
        unsafe entry.initialize(to: CacheEntry(content, key: key, hash: key.hash, times: times))
        var rest = unsafe OutputRawSpan(
            buffer: UnsafeMutableRawBufferPointer(start: block + head, count: tail), initializedCount: 0)
        rest.append(octets: key.name.rawSpan)
        for offset in content.ttlOffsets { rest.append(bigEndian: offset) }
        rest.append(octets: content.body.rawSpan)
        rest.append(octets: own.rawSpan)
        return StoredAnswer(address: UInt(bitPattern: entry))
    }

    /// Gives the memory back.
    func free() {
        unsafe entry.deinitialize(count: 1)
        unsafe UnsafeMutableRawPointer(entry).deallocate()
    }

    var address: UInt { unsafe UInt(bitPattern: entry) }
    var nextAddress: UInt {
        @inline(__always) get { unsafe entry.pointee.next.load(ordering: .acquiring) }
    }
    func setNext(_ address: UInt) { unsafe entry.pointee.next.store(address, ordering: .releasing) }
    var hash: UInt64 { unsafe entry.pointee.hash }
    var type: RecordType { unsafe entry.pointee.type }
    var variant: AnswerVariant { unsafe entry.pointee.variant }
    var code: UInt16 { unsafe UInt16(entry.pointee.code) }
    var answerCount: UInt16 { unsafe entry.pointee.answerCount }
    var authorityCount: UInt16 { unsafe entry.pointee.authorityCount }
    var times: AnswerTimes { unsafe entry.pointee.times }
    var rotation: RotatedRecords { unsafe entry.pointee.rotation }
    var slot: UInt32 { unsafe entry.pointee.slot }
    /// Only before others can find it.
    func set(slot: UInt32) { unsafe entry.pointee.slot = slot }

    /// Octets of memory, the allocator's own included.
    var byteCount: Int {
        MemoryLayout<CacheEntry>.stride + Self.allocatorByteCount + bodyOffset + bodyByteCount + ownQueryByteCount
    }
    private static let allocatorByteCount = 16

    private var nameByteCount: Int { unsafe Int(entry.pointee.nameByteCount) }
    private var ttlCount: Int { unsafe Int(entry.pointee.ttlCount) }
    private var bodyByteCount: Int { unsafe Int(entry.pointee.bodyByteCount) }
    private var bodyOffset: Int { nameByteCount &+ 2 &* ttlCount }
    private var ownNameByteCount: Int { unsafe Int(entry.pointee.ownNameByteCount) }
    private var ownQueryByteCount: Int {
        leadsToOwnName ? AnswerContent.ownQueryByteCount(nameByteCount: ownNameByteCount) : 0
    }

    @inline(__always)
    @_lifetime(borrow self)
    private func tail(from offset: Int, count: Int) -> RawSpan {
        let start = unsafe UnsafeRawPointer(entry) + MemoryLayout<CacheEntry>.stride + offset
        return unsafe _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: count), borrowing: self)
    }

    /// QNAME in lower case.
    var name: RawSpan {
        @inline(__always) @_lifetime(borrow self) get { tail(from: 0, count: nameByteCount) }
    }

    /// See ``CachedAnswer/ttlOffsets``.
    var ttlOffsets: RawSpan {
        @inline(__always) @_lifetime(borrow self) get { tail(from: nameByteCount, count: 2 &* ttlCount) }
    }

    /// See ``CachedAnswer/body``.
    var body: RawSpan {
        @inline(__always) @_lifetime(borrow self) get { tail(from: bodyOffset, count: bodyByteCount) }
    }

    /// See ``CachedAnswer/leadsToOwnName``.
    var leadsToOwnName: Bool {
        @inline(__always) get { unsafe entry.pointee.ownNameByteCount > 0 }
    }

    /// See ``AnswerContent/ownQuery(type:)``.
    var ownQuery: RawSpan {
        @_lifetime(borrow self) get { tail(from: bodyOffset &+ bodyByteCount, count: ownQueryByteCount) }
    }

    /// Asks for the memory, without waiting for it.
    @inline(__always)
    func prefetch() {
        // Unsafe: prefetching reads nothing, so that it may go beyond the end.
        for line in 0..<4 { unsafe prefetch_line(UnsafeRawPointer(entry) + 64 &* line) }
    }

    /// Whether it answers a question.
    ///
    /// - Parameter name: QNAME in any case.
    @inline(__always)
    func answers(_ name: RawSpan, _ type: RecordType, _ variant: AnswerVariant, hash: UInt64) -> Bool {
        self.hash == hash && self.type == type && self.variant == variant && name.isName(self.name)
    }

    // MARK: Refreshing

    /// How long whoever has it asked for again has for that. If nothing has replaced it by then, whatever became of it,
    /// it is due again.
    static let refreshLease = Nanoseconds.seconds(2)

    /// Whether it is time to ask for it again, and the caller is the one to do it.
    @inline(__always)
    func claimRefresh(now: MonotonicTime) -> Bool {
        let due = unsafe entry.pointee.refreshTime.load(ordering: .relaxed)
        guard now.nanoseconds >= due else { return false }
        let next = (now + Self.refreshLease).nanoseconds
        return unsafe entry.pointee.refreshTime
            .compareExchange(expected: due, desired: next, ordering: .relaxed).exchanged
    }

    // MARK: Marks

    /// Whether all `marks` are set.
    @inline(__always)
    func has(_ marks: UInt8) -> Bool { unsafe entry.pointee.marks.load(ordering: .relaxed) & marks == marks }

    /// Clears marks.
    ///
    /// - Returns: whether one of them was set.
    func clear(_ marks: UInt8) -> Bool {
        unsafe entry.pointee.marks.bitwiseAnd(~marks, ordering: .relaxed).oldValue & marks != 0
    }

    /// Sets marks.
    ///
    /// - Returns: whether none of them was set before.
    func set(_ marks: UInt8) -> Bool {
        unsafe entry.pointee.marks.bitwiseOr(marks, ordering: .relaxed).oldValue & marks == 0
    }
}

extension AnswerContent {
    /// Octets in front of the query: where the name stands in ``body``.
    static let ownNamePlaceByteCount = 2

    static func ownQueryByteCount(nameByteCount: Int) -> Int {
        ownNamePlaceByteCount + MessageHeader.byteCount + nameByteCount + 4
    }

    /// Where the name of ours that the aliases lead to stands in ``body``, in two octets, and a query for it; empty if
    /// they don't lead to one.
    fileprivate func ownQuery(type: RecordType) -> [UInt8] {
        guard case .own(let name, let offset) = continuation else { return [] }
        var octets: [UInt8] = []
        octets.append(bigEndian: offset)
        octets += [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name
        octets.append(bigEndian: type.rawValue)
        octets.append(bigEndian: RecordClass.internet)
        return octets
    }
}
