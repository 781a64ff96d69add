/// The records of an RRset whose records are in its shard.
struct ShardRecords: RecordSource {
    private let rrset: PackedRRset
    private let shard: ShardView

    @inline(__always)
    init(_ records: ZoneRecords) {
        rrset = records.rrset
        shard = records.shard
    }

    var weights: Span<UInt32> {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            guard rrset.firstWeight != PackedRRset.noWeights else { return Span() }
            let start = Int(rrset.firstWeight)
            return shard.weights.extracting(start..<(start &+ Int(rrset.count)))
        }
    }

    @inline(__always)
    func writeAll(from first: Int, to reply: inout OutputRawSpan) {
        let octets = shard.octets
        let answer = Int(rrset.answerOffset)
        let end = answer &+ Int(rrset.answerByteCount)
        let start = rrset.offset(ofRecord: first, in: shard.services)
        reply.append(octets: octets.extracting((answer &+ start)..<end))
        if start > 0 { reply.append(octets: octets.extracting(answer..<(answer &+ start))) }
    }

    func writeSome(from first: Int, to reply: inout OutputRawSpan, limit: Int) -> UInt16 {
        let octets = shard.octets
        let services = shard.services
        let answer = Int(rrset.answerOffset)
        let count = Int(rrset.count)
        var written = 0
        while written < min(count, Int(UInt16.max)) {
            let index = first + written < count ? first + written : first + written - count
            let start = rrset.offset(ofRecord: index, in: services)
            let end = rrset.end(ofRecord: index, in: services)
            guard reply.byteCount + end - start <= limit else { break }
            reply.append(octets: octets.extracting((answer + start)..<(answer + end)))
            written += 1
        }
        return UInt16(written)
    }

    @inline(__always)
    func writeAdditional(
        from first: Int, answeredAt answerStart: Int, to reply: inout OutputRawSpan, limit: Int
    ) -> UInt16 {
        guard rrset.type != .ns else { return writeServerAddresses(answeredAt: answerStart, to: &reply, limit: limit) }
        let octets = shard.octets
        let services = shard.services
        let count = Int(rrset.count)
        let base = Int(rrset.firstService)
        guard base &+ count <= services.count else { return 0 }
        let rotation = Int(services[base &+ first].answer)
        var written: UInt16 = 0
        for step in 0..<count {
            let index = first &+ step < count ? first &+ step : first &+ step &- count
            let slot = services[base &+ index]
            guard slot.additionalByteCount > 0 else { continue }
            // The target's name is in its SRV record, behind owner, type, class, TTL, length, priority, weight and
            // port.
            var target = Int(slot.answer) &- rotation
            if target < 0 { target &+= Int(rrset.answerByteCount) }
            target &+= answerStart &+ PackedRecord.target
            let start = Int(rrset.additionalOffset) &+ Int(slot.additional)
            let record = octets.extracting(start..<(start &+ Int(slot.additionalByteCount)))
            let isWritten: Bool
            if target <= PackedRecord.pointerReach {
                isWritten = reply.append(additional: record, ownedAt: target, limit: limit)
            } else {
                let name = Int(rrset.answerOffset) &+ Int(slot.answer) &+ PackedRecord.target
                let end = Int(rrset.answerOffset) &+ rrset.end(ofRecord: index, in: services)
                isWritten = reply.append(additional: record, ownedBy: octets.extracting(name..<end), limit: limit)
            }
            guard isWritten else { break }
            written &+= 1
        }
        return written
    }

    /// Writes the addresses of the server that the NS record names, all or none.
    @inline(never)
    private func writeServerAddresses(
        answeredAt start: Int, to reply: inout OutputRawSpan, limit: Int
    ) -> UInt16 {
        let offset = Int(rrset.additionalOffset)
        let records = shard.octets.extracting(offset..<(offset &+ Int(rrset.additionalByteCount)))
        guard reply.byteCount &+ records.byteCount <= limit else { return 0 }
        var written: UInt16 = 0
        var position = 0
        while let length = records.uint16(at: position &+ PackedRecord.length) {
            let end = position &+ PackedRecord.data &+ Int(length)
            guard end <= records.byteCount,
                reply.append(
                    additional: records.extracting(position..<end), ownedAt: start &+ PackedRecord.data, limit: limit)
            else { break }
            written &+= 1
            position = end
        }
        return written
    }
}

extension PackedRRset {
    /// The offset of a record's end, relative to the RRset's records.
    @inline(__always)
    func end(ofRecord index: Int, in services: Span<ServiceSlot>) -> Int {
        index &+ 1 < Int(count) ? offset(ofRecord: index &+ 1, in: services) : Int(answerByteCount)
    }

    /// The offset of a record, relative to the RRset's records.
    @inline(__always)
    func offset(ofRecord index: Int, in services: Span<ServiceSlot>) -> Int {
        stride > 0 ? index &* Int(stride) : Int(services[Int(firstService) &+ index].answer)
    }
}
