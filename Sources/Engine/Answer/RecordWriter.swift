/// Copies an RRset's packed records into a reply, beginning with the record whose turn it is.
extension OutputRawSpan {
    /// Writes all records of an RRset of which all have the same length, or whose services tell where each begins.
    ///
    /// - Parameters:
    ///   - octets: the shard's octets.
    ///   - start: where the first record begins, relative to the RRset's records.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(all rrset: PackedRRset, octets: RawSpan, from start: Int) {
        let answer = Int(rrset.answerOffset)
        let end = answer &+ Int(rrset.answerByteCount)
        append(octets: octets.extracting((answer &+ start)..<end))
        if start > 0 { append(octets: octets.extracting(answer..<(answer &+ start))) }
    }

    /// Writes as many whole records as fit below `limit`, at most 65,535.
    ///
    /// - Returns: how many.
    @_lifetime(self: copy self)
    mutating func append(
        some rrset: PackedRRset, octets: RawSpan, services: Span<ServiceSlot>, from first: Int,
        limit: Int
    ) -> UInt16 {
        let answer = Int(rrset.answerOffset)
        let count = Int(rrset.count)
        var written = 0
        while written < min(count, Int(UInt16.max)) {
            let index = first + written < count ? first + written : first + written - count
            let start = rrset.offset(ofRecord: index, in: services)
            let end = rrset.end(ofRecord: index, in: services)
            guard byteCount + end - start <= limit else { break }
            append(octets: octets.extracting((answer + start)..<(answer + end)))
            written += 1
        }
        return UInt16(written)
    }

    /// Writes the addresses of an SRV RRset's targets, as many as fit below `limit`: each target's is a whole RRset.
    ///
    /// - Parameters:
    ///   - answerStart: where the SRV records begin in this reply; all of them are there.
    ///   - first: the record that comes first.
    /// - Returns: how many records.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(
        additionalOf rrset: PackedRRset, octets: RawSpan, services: Span<ServiceSlot>, first: Int,
        answerStart: Int,
        limit: Int
    ) -> UInt16 {
        let count = Int(rrset.count)
        let base = Int(rrset.firstService)
        guard base &+ count <= services.count else { return 0 }
        let rotation = Int(services[base &+ first].answer)
        var written: UInt16 = 0
        for step in 0..<count {
            let index = first &+ step < count ? first &+ step : first &+ step &- count
            let slot = services[base &+ index]
            let length = Int(slot.additionalByteCount)
            guard length > 0 else { continue }
            // The target's name stands in its SRV record, behind owner, type, class, TTL, length, priority, weight
            // and port; a pointer has 14 bits to reach it (RFC 1035 §4.1.4).
            var target = Int(slot.answer) &- rotation
            if target < 0 { target &+= Int(rrset.answerByteCount) }
            target &+= answerStart &+ 18
            let start = Int(rrset.additionalOffset) &+ Int(slot.additional)
            if target <= 0x3FFF {
                guard byteCount &+ length <= limit else { break }
                let position = byteCount
                append(octets: octets.extracting(start..<(start &+ length)))
                replace(at: position, bigEndian: 0xC000 | UInt16(truncatingIfNeeded: target))
            } else {
                // Beyond its reach the owner is the whole name, as it stands in the SRV record.
                let name = Int(rrset.answerOffset) &+ Int(slot.answer) &+ 18
                let end = Int(rrset.answerOffset) &+ rrset.end(ofRecord: index, in: services)
                guard byteCount &+ end &- name &+ length &- 2 <= limit else { break }
                append(octets: octets.extracting(name..<end))
                append(octets: octets.extracting((start &+ 2)..<(start &+ length)))
            }
            written &+= 1
        }
        return written
    }
}

extension PackedRRset {
    /// Where a record ends, relative to the RRset's records.
    @inline(__always)
    func end(ofRecord index: Int, in services: Span<ServiceSlot>) -> Int {
        index &+ 1 < Int(count) ? offset(ofRecord: index &+ 1, in: services) : Int(answerByteCount)
    }

    /// Where a record begins, relative to the RRset's records.
    @inline(__always)
    func offset(ofRecord index: Int, in services: Span<ServiceSlot>) -> Int {
        stride > 0 ? index &* Int(stride) : Int(services[Int(firstService) &+ index].answer)
    }
}
