import CEvent
import Synchronization

/// One answer in the cache, in one piece of memory: these fields, its name, the offsets of its TTLs, its records, and,
/// if they lead to a name of ours, a query for that name. Once workers can find it, only its atomic fields change.
struct CacheEntry: ~Copyable {
    /// The next entry in the same bucket; 0: there is none.
    let next = Atomic<UInt>(0)
    /// The time at which it is due to be fetched again, in nanoseconds of ``MonotonicTime``; see
    /// ``StoredAnswer/claimRefresh(now:)``.
    let refreshTime: Atomic<Int64>
    /// Its marks, see ``CacheMarks``.
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
    /// The octets of the name of ours that its aliases lead to; 0: they lead to none.
    let ownNameByteCount: UInt8
    let hash: UInt64
    let times: AnswerTimes
    /// Its place in the order of eviction and in the workers' rotation. Written before it can be found. It stands where
    /// the times leave room.
    var slot: UInt32 = 0

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
    /// It was asked for since the hand of the eviction order last passed.
    static let visited: UInt8 = 1
    /// It was asked for since it was fetched.
    static let hit: UInt8 = 2
}

/// The pointer to a ``CacheEntry``, for the code that writes the cache. It is plain: copying it touches no reference
/// count. It is valid until ``free()``: from its creation until the cache takes it over, and then under the lock of its
/// shard. Readers get a ``CachedAnswer`` instead.
@safe
struct StoredAnswer: @unchecked Sendable {
    // Sendable: once others can find the entry, only atomic fields are written.
    private let entry: UnsafeMutablePointer<CacheEntry>

    // Unsafe in all of these: the entry exists, see above, and has as many octets as its fields say.

    /// The entry at that address; `nil` for 0.
    @inline(__always)
    init?(address: UInt) {
        guard let entry = unsafe UnsafeMutablePointer<CacheEntry>(bitPattern: address) else { return nil }
        unsafe self.entry = entry
    }

    /// Makes an entry, which must be freed.
    ///
    /// - Returns: `nil` if the answer is too long for a message.
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

    /// Frees the memory.
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
    /// When it came, to the second.
    var time: MonotonicTime {
        times.expiry + (.zero - .seconds(Int64(times.lifetime)))
    }
    /// Sets the place; only before others can find the entry.
    func set(slot: UInt32) { unsafe entry.pointee.slot = slot }

    /// The octets of memory, including the allocator's own.
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

    /// Prefetches the memory without waiting for it.
    @inline(__always)
    func prefetch() {
        // Unsafe: prefetching reads nothing, so it may go beyond the end.
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

    /// How long a refresh may take. If nothing has replaced the entry by then, for whatever reason, it is due again.
    static let refreshLease = Nanoseconds.seconds(2)

    /// Whether it is due to be fetched again, and the caller is the one to do it.
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
    /// The octets in front of the query, which say where the name is in ``body``.
    static let ownNamePlaceByteCount = 2

    static func ownQueryByteCount(nameByteCount: Int) -> Int {
        ownNamePlaceByteCount + MessageHeader.byteCount + nameByteCount + 4
    }

    /// The two octets that say where the name of ours is in ``body``, and a query for it; empty if the aliases lead to
    /// no such name.
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
