/// Makes an RRset's next list of records from the previous one and a change; only the blocks that change are made
/// again.
struct RecordListBuilder {
    /// The most records of a block: some kilobytes to copy for a change, and some hundred references for a list of a
    /// hundred thousand records.
    static let blockLimit = 256
    /// Neighbouring blocks that together have at most this many records are merged.
    private static let mergeLimit = 128

    private let packer: RRsetPacker
    private let change: RRsetChange
    private let old: RecordList?
    private let strategy: RotationStrategyName
    private var parts: [RecordListPart] = []

    /// The list after `change`, or `nil` if no record is left.
    ///
    /// - Parameters:
    ///   - old: the previous list; `nil`: there is none that can be changed.
    ///   - strategy: the one by which it rotates, and the previous list too.
    /// - Throws: ``EngineError/invalidRecords(name:)`` for `name` if the change does not fit the previous list.
    static func list(
        after change: RRsetChange, of old: RecordList?, strategy: RotationStrategyName, packer: RRsetPacker,
        name: String
    ) throws(EngineError) -> RecordList? {
        let isAscending = zip(change.records, change.records.dropFirst()).allSatisfy { $0.sequence < $1.sequence }
        guard isAscending, change.ttl >= 1, change.weightDivisor >= 1, change.isWhole || old != nil else {
            throw .invalidRecords(name: name)
        }
        var builder = RecordListBuilder(
            packer: packer, change: change, old: change.isWhole ? nil : old, strategy: strategy)
        let isDone = change.isWhole ? builder.pack(change.records[...]) : builder.changeBlocks()
        guard isDone else { throw .invalidRecords(name: name) }
        builder.mergeSmallBlocks()
        let list = RecordList.make(
            builder.parts, of: builder.old, ttl: change.ttl, weightDivisor: change.weightDivisor)
        guard list.view.parts.count <= RRsetPacker.maximumRecords else { throw .invalidRecords(name: name) }
        return list.view.parts.count == 0 ? nil : list
    }

    private init(packer: RRsetPacker, change: RRsetChange, old: RecordList?, strategy: RotationStrategyName) {
        self.strategy = strategy
        self.packer = packer
        self.change = change
        self.old = old
    }

    /// Adds blocks of new records.
    ///
    /// - Returns: `false` if a record is missing or does not fit the type.
    private mutating func pack(_ records: ArraySlice<RecordChange>) -> Bool {
        var rest = records
        while !rest.isEmpty {
            var block = newBlock()
            for record in rest.prefix(Self.blockLimit) {
                guard block.append(record, packer) else { return false }
            }
            add(block)
            rest = rest.dropFirst(Self.blockLimit)
        }
        return true
    }

    /// Adds the previous blocks with the changes applied.
    ///
    /// - Returns: `false` if a record to remove does not exist, or a new one does not fit the type.
    private mutating func changeBlocks() -> Bool {
        guard let old else { return false }
        let view = old.view
        let count = Int(view.parts.blockCount)
        var rest = change.records[...]
        var next = 0
        while let first = rest.first {
            let number = view.block(forSequence: first.sequence)
            if next < number { parts.append(.kept(next..<number)) }
            let isLast = number == count - 1
            let limit = isLast ? nil : view.entry(number + 1).view.sequences[0]
            let own = rest.prefix { change in limit.map { change.sequence < $0 } ?? true }
            rest = rest.dropFirst(own.count)
            guard change(view.entry(number).view, own, isLast: isLast) else { return false }
            next = number + 1
        }
        if next < count { parts.append(.kept(next..<count)) }
        return true
    }

    private mutating func change(_ old: RecordBlockView, _ changes: ArraySlice<RecordChange>, isLast: Bool) -> Bool {
        // Count the resulting records.
        var count = old.count
        var position = 0
        for each in changes {
            while position < old.count, old.sequences[position] < each.sequence { position += 1 }
            let isThere = position < old.count && old.sequences[position] == each.sequence
            guard isThere || each.record != nil else { return false }
            count += isThere ? (each.record == nil ? -1 : 0) : 1
        }
        var size = Self.blockLimit
        // Divide them evenly, unless all changes append records: then full blocks stay full.
        let isAppending = isLast && (changes.first?.sequence ?? 0) > old.sequences[old.count - 1]
        if count > size, !isAppending {
            let parts = (count + size - 1) / size
            size = (count + parts - 1) / parts
        }
        var block = newBlock()
        func finishIfFull(_ builder: inout RecordListBuilder) {
            guard block.count >= size else { return }
            builder.add(block)
            block = builder.newBlock()
        }
        position = 0
        for each in changes {
            while position < old.count, old.sequences[position] < each.sequence {
                var end = position
                while end < old.count, old.sequences[end] < each.sequence, block.count + end - position < size {
                    end += 1
                }
                block.append(position..<end, of: old)
                position = end
                finishIfFull(&self)
            }
            if position < old.count, old.sequences[position] == each.sequence { position += 1 }
            guard each.record != nil else { continue }
            guard block.append(each, packer) else { return false }
            finishIfFull(&self)
        }
        while position < old.count {
            let end = min(old.count, position + size - block.count)
            block.append(position..<end, of: old)
            position = end
            finishIfFull(&self)
        }
        if block.count > 0 { add(block) }
        return true
    }

    private func newBlock() -> RecordBlockBuilder {
        RecordBlockBuilder(
            type: change.type, strategy: strategy, ttl: change.ttl, weightDivisor: change.weightDivisor)
    }

    private mutating func add(_ block: RecordBlockBuilder) {
        parts.append(.made(block.build()))
    }

    /// Merges new blocks that have become small with small neighbours, so that a list has no more blocks than its
    /// records need.
    private mutating func mergeSmallBlocks() {
        var index = 0
        while index < parts.count {
            if case .made(let block) = parts[index], block.view.count <= Self.mergeLimit {
                if merge(block, at: index, with: index + 1, isAfter: true) { continue }
                if merge(block, at: index, with: index - 1, isAfter: false) {
                    index = max(index - 1, 0)
                    continue
                }
            }
            index += 1
        }
    }

    /// Merges a block with the adjoining block of the neighbouring part, if both are small.
    ///
    /// - Returns: whether they were.
    private mutating func merge(_ block: RecordBlock, at index: Int, with neighbour: Int, isAfter: Bool) -> Bool {
        guard parts.indices.contains(neighbour) else { return false }
        let other: RecordBlockView
        let rest: Range<Int>
        switch parts[neighbour] {
        case .made(let made): (other, rest) = (made.view, 0..<0)
        case .kept(let range):
            guard let old else { return false }
            other = old.view.entry(isAfter ? range.lowerBound : range.upperBound - 1).view
            rest = isAfter ? range.dropFirst() : range.dropLast()
        }
        guard block.view.count + other.count <= Self.mergeLimit else { return false }
        var merged = newBlock()
        for each in isAfter ? [block.view, other] : [other, block.view] { merged.append(0..<each.count, of: each) }
        parts[index] = .made(merged.build())
        if rest.isEmpty { parts.remove(at: neighbour) } else { parts[neighbour] = .kept(rest) }
        return true
    }
}

/// A part of a list under construction.
enum RecordListPart {
    /// Blocks of the previous list, by index.
    case kept(Range<Int>)
    /// A new block.
    case made(RecordBlock)
}

/// Makes lists within one update. The same change to the same list gives a shared result, because names of a service
/// often have the same records.
struct RecordListCache {
    private struct Last {
        var change: RRsetChange
        var old: RecordList?
        var strategy: RotationStrategyName
        var list: RecordList?
    }

    private var last: [RecordType: Last] = [:]

    /// See ``RecordListBuilder/list(after:of:strategy:packer:name:)``.
    mutating func list(
        after change: RRsetChange, of old: RecordList?, strategy: RotationStrategyName, packer: RRsetPacker,
        name: String
    ) throws(EngineError) -> RecordList? {
        let old = change.isWhole ? nil : old
        if let last = last[change.type], last.old === old, last.strategy == strategy, last.change == change {
            return last.list
        }
        let list = try RecordListBuilder.list(
            after: change, of: old, strategy: strategy, packer: packer, name: name)
        last[change.type] = Last(change: change, old: old, strategy: strategy, list: list)
        return list
    }
}

/// A block of records under construction.
struct RecordBlockBuilder {
    private var packed: PackingRRset
    private var sequences: [UInt64] = []
    private let ttl: UInt32
    private let weightDivisor: UInt16

    /// An empty block.
    init(type: RecordType, strategy: RotationStrategyName, ttl: UInt32, weightDivisor: UInt16) {
        packed = PackingRRset(type: type, strategy: strategy)
        self.ttl = ttl
        self.weightDivisor = weightDivisor
        packed.reserveCapacity(RecordListBuilder.blockLimit, service: PackedRecord.target + 32)
        sequences.reserveCapacity(RecordListBuilder.blockLimit)
    }

    /// The number of its records.
    var count: Int { packed.count }

    /// Adds a new record.
    ///
    /// - Returns: `false` if there is none, or it does not fit the type.
    mutating func append(_ change: RecordChange, _ packer: RRsetPacker) -> Bool {
        guard let record = change.record,
            packer.append(
                record, ttl: ttl, weightDivisor: weightDivisor, hasAdditional: change.hasAdditional, to: &packed)
        else { return false }
        sequences.append(change.sequence)
        return true
    }

    /// Adds records of a block unchanged, except for the TTL and the divisor of their weights.
    mutating func append(_ range: Range<Int>, of old: RecordBlockView) {
        guard !range.isEmpty else { return }
        let parts = old.parts
        let start = old.offset(ofRecord: range.lowerBound)
        let end = old.offset(ofRecord: range.upperBound)
        let base = packed.answer.count
        packed.answer.append(octets: old.answer.extracting(start..<end))
        let adjustment = RecordAdjustment(of: parts, ttl: ttl, weightDivisor: weightDivisor)
        let old4 = old.sequences
        for index in range {
            sequences.append(old4[index])
            if adjustment.isNeeded {
                adjustment.adjust(&packed.answer, at: base + old.offset(ofRecord: index) - start)
            }
        }
        if parts.serviceCount > 0 { appendAdditional(range, of: old, answer: base - start) }
        if parts.weightCount > 0 {
            let weights = old.weights
            for index in range { packed.weights.append(weights[index]) }
        }
        packed.count += range.count
    }

    private mutating func appendAdditional(_ range: Range<Int>, of old: RecordBlockView, answer: Int) {
        let services = old.services
        let start = Int(services[range.lowerBound].additional)
        let last = services[range.upperBound - 1]
        let end = Int(last.additional) + Int(last.additionalByteCount)
        let difference = packed.additional.count - start
        packed.additional.append(octets: old.additional.extracting(start..<end))
        for index in range {
            var slot = services[index]
            slot.answer = UInt32(Int(slot.answer) + answer)
            slot.additional = UInt32(Int(slot.additional) + difference)
            packed.services.append(slot)
        }
    }

    /// The block.
    func build() -> RecordBlock {
        RecordBlock.make(
            RecordBlockParts(
                count: UInt32(packed.count), serviceCount: UInt32(packed.services.count),
                weightCount: UInt32(packed.weights.count), answerByteCount: UInt32(packed.answer.count),
                additionalByteCount: UInt32(packed.additional.count), ttl: ttl, stride: packed.stride,
                weightDivisor: weightDivisor),
            sequences: sequences, packed: packed)
    }
}
