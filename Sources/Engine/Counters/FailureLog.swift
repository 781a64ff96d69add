/// The newest questions of one response code, in memory that never grows. Pure.
///
/// A client that asks again for the same name moves its entry to the front, so that one that asks all the time leaves
/// room for others.
struct FailureLog: Sendable {
    /// The most entries.
    static let capacity = 128

    private struct Entry: Sendable {
        var hash: UInt64 = 0
        var type: UInt16 = 0
        var nameByteCount: UInt8 = 0
        var client: IPAddress?
        /// How often it was noted; 0: the place is free.
        var count: UInt64 = 0
        var time = MonotonicTime.distantPast
    }

    private var entries = [Entry](repeating: Entry(), count: capacity)
    private var names = NameStore(count: capacity)

    /// Notes a question that was answered with the code.
    ///
    /// - Parameters:
    ///   - name: in wire form; at most 255 octets.
    ///   - hash: of the name, without regard to case, and the type.
    mutating func note(_ name: RawSpan, type: UInt16, hash: UInt64, from client: IPAddress?, now: MonotonicTime) {
        var oldest = 0
        for place in entries.indices {
            if entries[place].hash == hash, entries[place].type == type, entries[place].client == client,
                entries[place].count > 0
            {
                entries[place].count &+= 1
                entries[place].time = now
                return
            }
            if entries[place].time < entries[oldest].time { oldest = place }
        }
        names.store(name, at: oldest)
        entries[oldest] = Entry(
            hash: hash, type: type, nameByteCount: UInt8(truncatingIfNeeded: min(name.byteCount, 255)), client: client,
            count: 1, time: now)
    }

    /// Calls `body` with each entry, in no order.
    func forEach(
        _ body: (_ name: [UInt8], _ type: UInt16, _ client: IPAddress?, _ count: UInt64, _ time: MonotonicTime) -> Void
    ) {
        for place in entries.indices where entries[place].count > 0 {
            let entry = entries[place]
            body(
                names.name(at: place, count: Int(entry.nameByteCount)), entry.type, entry.client, entry.count,
                entry.time)
        }
    }
}
