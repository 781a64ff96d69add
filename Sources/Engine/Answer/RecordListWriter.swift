/// Copies the records of a large RRset into a reply, beginning with the one whose turn it is: as for others, but in as
/// many pieces as it has blocks.
extension OutputRawSpan {
    /// Writes all records.
    @_lifetime(self: copy self)
    mutating func append(all list: RecordListView, from first: Int) {
        let count = Int(list.parts.count)
        append(first..<count, of: list)
        append(0..<first, of: list)
    }

    private mutating func append(_ range: Range<Int>, of list: RecordListView) {
        var index = range.lowerBound
        var number = list.block(ofRecord: index)
        while index < range.upperBound, number < Int(list.parts.blockCount) {
            let entry = list.entry(number)
            let block = entry.view
            let start = index &- Int(entry.firstRecord)
            let end = min(block.count, range.upperBound &- Int(entry.firstRecord))
            append(start..<end, of: block, in: list)
            index &+= end &- start
            number &+= 1
        }
    }

    private mutating func append(_ records: Range<Int>, of block: RecordBlockView, in list: RecordListView) {
        let start = block.offset(ofRecord: records.lowerBound)
        let end = block.offset(ofRecord: records.upperBound)
        let position = byteCount
        append(octets: block.answer.extracting(start..<end))
        let adjustment = RecordAdjustment(
            of: block.parts, ttl: list.parts.ttl, weightDivisor: list.parts.weightDivisor)
        guard adjustment.isNeeded else { return }
        for record in records {
            let offset = block.offset(ofRecord: record)
            adjustment.adjust(&self, at: position &+ offset &- start, copiedFrom: block.answer, at: offset)
        }
    }

    /// Writes as many whole records as fit below `limit`, at most 65,535.
    ///
    /// - Returns: how many.
    @_lifetime(self: copy self)
    mutating func append(some list: RecordListView, from first: Int, limit: Int) -> UInt16 {
        let count = min(Int(list.parts.count), Int(UInt16.max))
        var written = 0
        var number = list.block(ofRecord: first)
        var start = first &- Int(list.entry(number).firstRecord)
        while written < count {
            let block = list.entry(number).view
            var end = start
            let begin = block.offset(ofRecord: start)
            while end < block.count, written &+ end &- start < count,
                byteCount &+ block.offset(ofRecord: end &+ 1) &- begin <= limit
            { end &+= 1 }
            append(start..<end, of: block, in: list)
            written &+= end &- start
            guard end == block.count else { break }
            number = number &+ 1 < Int(list.parts.blockCount) ? number &+ 1 : 0
            start = 0
        }
        return UInt16(truncatingIfNeeded: written)
    }

    /// Writes the addresses of an SRV RRset's targets, as many as fit below `limit`: each target's is a whole RRset.
    ///
    /// - Parameters:
    ///   - first: the record that comes first.
    ///   - answerStart: where the SRV records begin in this reply; all of them are there.
    /// - Returns: how many records.
    @_lifetime(self: copy self)
    mutating func append(additionalOf list: RecordListView, first: Int, answerStart: Int, limit: Int) -> UInt16 {
        let count = Int(list.parts.count)
        let firstNumber = list.block(ofRecord: first)
        let firstEntry = list.entry(firstNumber)
        let firstInBlock = first &- Int(firstEntry.firstRecord)
        let rotation = Int(firstEntry.answerOffset) &+ firstEntry.view.offset(ofRecord: firstInBlock)
        var written: UInt16 = 0
        var number = firstNumber
        var start = firstInBlock
        var seen = 0
        while seen < count {
            let entry = list.entry(number)
            let block = entry.view
            // The records before the first come last.
            let end = min(block.count, start &+ count &- seen)
            for record in start..<end {
                let slot = block.services[record]
                guard slot.additionalByteCount > 0 else { continue }
                var target = Int(entry.answerOffset) &+ Int(slot.answer) &- rotation
                if target < 0 { target &+= Int(list.parts.answerByteCount) }
                target &+= answerStart &+ PackedRecord.target
                let address = Int(slot.additional)..<(Int(slot.additional) &+ Int(slot.additionalByteCount))
                let name = (Int(slot.answer) &+ PackedRecord.target)..<block.offset(ofRecord: record &+ 1)
                guard
                    append(
                        additional: block.additional.extracting(address), target: target,
                        name: block.answer.extracting(name), limit: limit)
                else { return written }
                written &+= 1
            }
            seen &+= end &- start
            number = number &+ 1 < Int(list.parts.blockCount) ? number &+ 1 : 0
            start = 0
        }
        return written
    }

    /// Writes one target's address.
    ///
    /// - Parameters:
    ///   - target: where the target's name stands in this reply.
    ///   - name: the same name.
    /// - Returns: `false` when it does not fit.
    private mutating func append(additional record: RawSpan, target: Int, name: RawSpan, limit: Int) -> Bool {
        let position = byteCount
        // A pointer has 14 bits to reach the name (RFC 1035 §4.1.4); beyond its reach the owner is the whole name.
        if target <= 0x3FFF {
            guard position &+ record.byteCount <= limit else { return false }
            append(octets: record)
            replace(at: position, bigEndian: 0xC000 | UInt16(truncatingIfNeeded: target))
        } else {
            guard position &+ name.byteCount &+ record.byteCount &- 2 <= limit else { return false }
            append(octets: name)
            append(octets: record.extracting(2..<record.byteCount))
        }
        return true
    }
}
