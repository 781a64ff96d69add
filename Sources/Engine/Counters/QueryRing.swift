import Synchronization

/// Queries for the query log on their way from a worker to whoever writes them down, in memory that never grows.
///
/// One worker writes, and one reader takes. Neither waits for the other, and the worker takes no lock: what comes while
/// the ring is full is dropped and counted.
@safe
final class QueryRing: @unchecked Sendable {
    // Sendable: the worker writes only places that are free, and the reader reads only those that are not. Which ones
    // these are is said by two atomic numbers, each with one writer.

    /// How many queries there is room for; a power of two.
    static let capacity = 2048
    /// The octets of the longest name (RFC 1035 §2.3.4), and one more.
    private static let nameStride = 256

    /// A query without its name.
    struct Entry: Sendable {
        var sample: QuerySample
        var origin: QueryOrigin
        var duration: Nanoseconds
        var client: IPAddress?
        var isTCP: Bool
        var type: UInt16
        var flags: UInt16
        var replyFlags: UInt16
        var answerCount: UInt16
        var replyByteCount: UInt16
        /// 0: there is none; the root's has one octet.
        var nameByteCount: UInt8 = 0
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let names: UnsafeMutableRawPointer
    /// How many were ever written, and taken.
    private let written = Atomic<Int>(0)
    private let taken = Atomic<Int>(0)
    private let droppedCount = Atomic<UInt64>(0)
    private let reader = Mutex(())

    init() {
        // Unsafe: freed in deinit. The system gives memory only for pages that are written.
        unsafe entries = .allocate(capacity: Self.capacity)
        unsafe names = .allocate(byteCount: Self.capacity * Self.nameStride, alignment: 16)
    }

    deinit {
        unsafe entries.deallocate()
        unsafe names.deallocate()
    }

    /// How many were dropped because the ring was full.
    var dropped: UInt64 { droppedCount.load(ordering: .relaxed) }

    /// Adds a query. Only its worker may call this.
    ///
    /// - Parameter name: in wire form; empty: there is none.
    func append(_ entry: Entry, name: RawSpan) {
        let count = written.load(ordering: .relaxed)
        guard count &- taken.load(ordering: .acquiring) < Self.capacity else {
            droppedCount.store(droppedCount.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
            return
        }
        let place = count & (Self.capacity &- 1)
        let length = name.byteCount < Self.nameStride ? name.byteCount : 0
        var entry = entry
        entry.nameByteCount = UInt8(truncatingIfNeeded: length)
        // Unsafe: the place is below the capacity and free, and a name's room is longer than the name.
        unsafe (entries + place).initialize(to: entry)
        unsafe name.withUnsafeBytes { source in
            guard length > 0, let source = source.baseAddress else { return }
            unsafe (names + place &* Self.nameStride).copyMemory(from: source, byteCount: length)
        }
        written.store(count &+ 1, ordering: .releasing)
    }

    /// Takes what there is.
    ///
    /// - Parameters:
    ///   - now: the time, for the ages.
    ///   - body: gets one query after the other. It should be quick: the room of a query is free for the worker only
    ///     when it has returned.
    /// - Returns: how many there were.
    func take(now: @autoclosure () -> MonotonicTime, _ body: (QueryRecord) -> Void) -> Int {
        reader.withLock { _ in
            let first = taken.load(ordering: .relaxed)
            let end = written.load(ordering: .acquiring)
            // Not earlier: all of them have come by then.
            let now = now()
            for count in first..<max(first, end) {
                body(record(at: count & (Self.capacity &- 1), now: now))
                taken.store(count &+ 1, ordering: .releasing)
            }
            return end &- first
        }
    }

    private func record(at place: Int, now: MonotonicTime) -> QueryRecord {
        // Unsafe: the worker has written the place, and writes there no more until it is free.
        let entry = unsafe entries[place]
        let name = unsafe UnsafeRawBufferPointer(
            start: names + place &* Self.nameStride, count: Int(entry.nameByteCount))
        return QueryRecord(
            age: (now - entry.sample.arrival).duration, client: entry.client, isTCP: entry.isTCP,
            name: entry.nameByteCount == 0 ? nil : unsafe [UInt8](name), type: entry.type, flags: entry.flags,
            hasEDNS: entry.origin.hasEDNS, isDNSSECOK: entry.origin.isDNSSECOK, replyFlags: entry.replyFlags,
            code: entry.origin.extendedCode ?? entry.replyFlags & 0xF, answerCount: entry.answerCount,
            byteCount: Int(entry.replyByteCount), source: entry.origin.source, duration: entry.duration.duration)
    }
}
