/// The records of a large RRset. They are copied like those of other RRsets, but block by block.
extension RecordListView: RecordSource {
    func writeAll(from first: Int, to reply: inout OutputRawSpan) {
        let count = Int(parts.count)
        write(first..<count, to: &reply)
        write(0..<first, to: &reply)
    }

    private func write(_ range: Range<Int>, to reply: inout OutputRawSpan) {
        var index = range.lowerBound
        var number = block(ofRecord: index)
        while index < range.upperBound, number < Int(parts.blockCount) {
            let entry = entry(number)
            let block = entry.view
            let start = index &- Int(entry.firstRecord)
            let end = min(block.count, range.upperBound &- Int(entry.firstRecord))
            write(start..<end, of: block, to: &reply)
            index &+= end &- start
            number &+= 1
        }
    }

    private func write(_ records: Range<Int>, of block: RecordBlockView, to reply: inout OutputRawSpan) {
        let start = block.offset(ofRecord: records.lowerBound)
        let end = block.offset(ofRecord: records.upperBound)
        let position = reply.byteCount
        reply.append(octets: block.answer.extracting(start..<end))
        let adjustment = RecordAdjustment(of: block.parts, ttl: parts.ttl, weightDivisor: parts.weightDivisor)
        guard adjustment.isNeeded else { return }
        for record in records {
            let offset = block.offset(ofRecord: record)
            adjustment.adjust(&reply, at: position &+ offset &- start, copiedFrom: block.answer, at: offset)
        }
    }

    func writeSome(from first: Int, to reply: inout OutputRawSpan, limit: Int) -> UInt16 {
        let count = min(Int(parts.count), Int(UInt16.max))
        var written = 0
        var number = block(ofRecord: first)
        var start = first &- Int(entry(number).firstRecord)
        while written < count {
            let block = entry(number).view
            var end = start
            let begin = block.offset(ofRecord: start)
            while end < block.count, written &+ end &- start < count,
                reply.byteCount &+ block.offset(ofRecord: end &+ 1) &- begin <= limit
            { end &+= 1 }
            write(start..<end, of: block, to: &reply)
            written &+= end &- start
            guard end == block.count else { break }
            number = number &+ 1 < Int(parts.blockCount) ? number &+ 1 : 0
            start = 0
        }
        return UInt16(truncatingIfNeeded: written)
    }

    func writeAdditional(
        from first: Int, answeredAt answerStart: Int, to reply: inout OutputRawSpan, limit: Int
    ) -> UInt16 {
        let count = Int(parts.count)
        let firstNumber = block(ofRecord: first)
        let firstEntry = entry(firstNumber)
        let firstInBlock = first &- Int(firstEntry.firstRecord)
        let rotation = Int(firstEntry.answerOffset) &+ firstEntry.view.offset(ofRecord: firstInBlock)
        var written: UInt16 = 0
        var number = firstNumber
        var start = firstInBlock
        var seen = 0
        while seen < count {
            let entry = entry(number)
            let block = entry.view
            // The records before the first come last.
            let end = min(block.count, start &+ count &- seen)
            for record in start..<end {
                let slot = block.services[record]
                guard slot.additionalByteCount > 0 else { continue }
                var target = Int(entry.answerOffset) &+ Int(slot.answer) &- rotation
                if target < 0 { target &+= Int(parts.answerByteCount) }
                target &+= answerStart &+ PackedRecord.target
                let range = Int(slot.additional)..<(Int(slot.additional) &+ Int(slot.additionalByteCount))
                let address = block.additional.extracting(range)
                let isWritten: Bool
                if target <= PackedRecord.pointerReach {
                    isWritten = reply.append(additional: address, ownedAt: target, limit: limit)
                } else {
                    let name = (Int(slot.answer) &+ PackedRecord.target)..<block.offset(ofRecord: record &+ 1)
                    isWritten = reply.append(additional: address, ownedBy: block.answer.extracting(name), limit: limit)
                }
                guard isWritten else { return written }
                written &+= 1
            }
            seen &+= end &- start
            number = number &+ 1 < Int(parts.blockCount) ? number &+ 1 : 0
            start = 0
        }
        return written
    }
}
