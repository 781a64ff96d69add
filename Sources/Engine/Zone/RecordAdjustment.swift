/// The changes that packed records need if the TTL or the weight divisor of their RRset has changed since they were
/// packed.
///
/// Each of many thousand records contains both, and adding or removing a single record may change both. So blocks stay
/// as they are, and records are adjusted when they are copied to a reply.
struct RecordAdjustment {
    private let ttl: UInt32
    private let oldDivisor: UInt16
    private let newDivisor: UInt16
    private let isService: Bool
    /// Whether there is anything to change.
    let isNeeded: Bool

    /// - Parameters:
    ///   - parts: those of the records' block.
    ///   - ttl: the present TTL, in seconds.
    ///   - weightDivisor: the present divisor.
    @inline(__always)
    init(of parts: RecordBlockParts, ttl: UInt32, weightDivisor: UInt16) {
        self.ttl = ttl
        oldDivisor = parts.weightDivisor
        newDivisor = max(weightDivisor, 1)
        isService = parts.serviceCount > 0
        isNeeded = parts.ttl != ttl || isService && oldDivisor != newDivisor
    }

    /// The weight that replaces `weight`.
    @inline(__always)
    private func adjusted(_ weight: UInt16) -> UInt16 {
        UInt16(truncatingIfNeeded: UInt32(weight) &* UInt32(oldDivisor) / UInt32(newDivisor))
    }

    /// Adjusts the record at `start`.
    func adjust(_ octets: inout [UInt8], at start: Int) {
        octets.replace(at: start + PackedRecord.ttl, bigEndian: ttl)
        guard isService else { return }
        let weight = octets.rawSpan.uint16(at: start + PackedRecord.weight) ?? 0
        octets.replace(at: start + PackedRecord.weight, bigEndian: adjusted(weight))
    }

    /// Adjusts a record that was copied to a reply.
    ///
    /// - Parameters:
    ///   - start: its offset in the reply.
    ///   - source: the octets that it was copied from.
    ///   - offset: its offset there.
    @inline(__always)
    func adjust(_ reply: inout OutputRawSpan, at start: Int, copiedFrom source: RawSpan, at offset: Int) {
        reply.replace(at: start &+ PackedRecord.ttl, bigEndian32: ttl)
        guard isService, let weight = source.uint16(at: offset &+ PackedRecord.weight) else { return }
        reply.replace(at: start &+ PackedRecord.weight, bigEndian: adjusted(weight))
    }
}
