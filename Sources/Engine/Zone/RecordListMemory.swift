// The memory of RRsets with many records: blocks of some hundred records, and lists of blocks. A change makes new
// blocks only where it applies, and a list that refers to these and to all others. As in ZoneMemory.swift, owners are
// classes, and workers read views.

/// Packed records that follow each other in a large RRset. Immutable.
@safe
final class RecordBlock: ManagedBuffer<RecordBlockParts, UInt64> {
    /// Copies the parts into a new block.
    static func make(_ parts: RecordBlockParts, sequences: [UInt64], packed: PackingRRset) -> RecordBlock {
        let buffer = create(minimumCapacity: (parts.byteCount + 7) / 8) { _ in parts }
        // Unsafe: the elements have room for all parts in sequence. All parts are trivial types, so nothing needs to be
        // destroyed.
        unsafe buffer.withUnsafeMutablePointerToElements { elements in
            var next = UnsafeMutableRawPointer(elements)
            unsafe next.place(sequences)
            unsafe next.place(packed.services)
            unsafe next.place(packed.weights)
            unsafe next.place(packed.answer)
            unsafe next.place(packed.additional)
        }
        return unsafe unsafeDowncast(buffer, to: RecordBlock.self)
    }

    /// A view of its contents.
    var view: RecordBlockView {
        @inline(__always)
        get {
            unsafe withUnsafeMutablePointers {
                unsafe RecordBlockView(parts: $0, elements: UnsafeRawPointer($1))
            }
        }
    }
}

/// The sizes of a block's parts; the parts follow each other in this order.
struct RecordBlockParts {
    /// The number of records.
    var count: UInt32
    /// The same number for SRV records; otherwise 0.
    var serviceCount: UInt32
    /// The same number if answers are weighted; otherwise 0.
    var weightCount: UInt32
    /// The octets of the records for the ANSWER section.
    var answerByteCount: UInt32
    /// The octets of the records for the ADDITIONAL section.
    var additionalByteCount: UInt32
    /// The TTL in the packed records; that of the RRset may have changed since.
    var ttl: UInt32
    /// The octets of each record; 0 if they differ: then the services tell where each record is.
    var stride: UInt16
    /// The divisor of SRV records' weights; that of the RRset may have changed since.
    var weightDivisor: UInt16

    // Every part's stride is a multiple of the alignment of the part behind it.
    var serviceOffset: Int { Int(count) &* MemoryLayout<UInt64>.stride }
    var weightOffset: Int { serviceOffset &+ Int(serviceCount) &* MemoryLayout<ServiceSlot>.stride }
    var answerOffset: Int { weightOffset &+ Int(weightCount) &* MemoryLayout<UInt32>.stride }
    var additionalOffset: Int { answerOffset &+ Int(answerByteCount) }
    var byteCount: Int { additionalOffset &+ Int(additionalByteCount) }
}

/// A view of a block's contents.
@safe
struct RecordBlockView: @unchecked Sendable {
    // Sendable: the memory is never written while a view of it exists.
    private let counts: UnsafePointer<RecordBlockParts>
    private let elements: UnsafeRawPointer

    fileprivate init(parts: UnsafePointer<RecordBlockParts>, elements: UnsafeRawPointer) {
        unsafe counts = parts
        unsafe self.elements = elements
    }

    var parts: RecordBlockParts { unsafe counts.pointee }
    /// The number of records.
    var count: Int { unsafe Int(counts.pointee.count) }

    // Unsafe in all of these: the memory was filled with as many values of that type, and lives longer than the view.

    /// The records' sequence numbers, ascending.
    var sequences: Span<UInt64> {
        @_lifetime(borrow self)
        get {
            let typed = unsafe elements.assumingMemoryBound(to: UInt64.self)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: count), borrowing: self)
        }
    }

    /// The places of SRV records.
    var services: Span<ServiceSlot> {
        @_lifetime(borrow self)
        get {
            let typed = unsafe (elements + parts.serviceOffset).assumingMemoryBound(to: ServiceSlot.self)
            return unsafe _overrideLifetime(
                Span(_unsafeStart: typed, count: Int(parts.serviceCount)), borrowing: self)
        }
    }

    /// The rotation weights; empty unless its strategy goes by them.
    var weights: Span<UInt32> {
        @_lifetime(borrow self)
        get {
            let typed = unsafe (elements + parts.weightOffset).assumingMemoryBound(to: UInt32.self)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: Int(parts.weightCount)), borrowing: self)
        }
    }

    /// The records for the ANSWER section.
    var answer: RawSpan {
        @_lifetime(borrow self)
        get {
            let start = unsafe elements + parts.answerOffset
            return unsafe _overrideLifetime(
                RawSpan(_unsafeStart: start, byteCount: Int(parts.answerByteCount)), borrowing: self)
        }
    }

    /// The records for the ADDITIONAL section.
    var additional: RawSpan {
        @_lifetime(borrow self)
        get {
            let start = unsafe elements + parts.additionalOffset
            return unsafe _overrideLifetime(
                RawSpan(_unsafeStart: start, byteCount: Int(parts.additionalByteCount)), borrowing: self)
        }
    }

    /// Whether all records and their rotation weights equal those of `other`.
    func hasSameRecords(as other: RecordBlockView) -> Bool {
        guard answer.hasSameOctets(as: other.answer), weights.count == other.weights.count else { return false }
        return weights.indices.allSatisfy { weights[$0] == other.weights[$0] }
    }

    /// The offset of a record in ``answer``; for the index behind the last one, the end.
    func offset(ofRecord index: Int) -> Int {
        if index >= count { return Int(parts.answerByteCount) }
        return parts.stride > 0 ? index &* Int(parts.stride) : Int(services[index].answer)
    }
}

/// All records of a large RRset. Immutable: a change makes another list, which shares the blocks that stay.
@safe
final class RecordList: ManagedBuffer<RecordListParts, UInt64> {
    /// Makes a list of parts, in ascending order of their records.
    ///
    /// - Parameters:
    ///   - old: the list from which kept blocks are taken.
    ///   - ttl: the RRset's TTL in seconds.
    ///   - weightDivisor: the divisor of SRV records' weights.
    static func make(
        _ parts: [RecordListPart], of old: RecordList?, ttl: UInt32, weightDivisor: UInt16
    ) -> RecordList {
        var counts = RecordListParts(
            blockCount: 0, count: 0, weightCount: 0, answerByteCount: 0, additionalByteCount: 0,
            ttl: ttl, weightDivisor: weightDivisor)
        // The counts before each part.
        var starts: [RecordListParts] = []
        for part in parts {
            starts.append(counts)
            switch part {
            case .made(let block): counts.add(block.view.parts)
            case .kept(let range):
                if let old = old?.view {
                    counts.add(from: old.counts(before: range.lowerBound), to: old.counts(before: range.upperBound))
                }
            }
        }
        let buffer = create(minimumCapacity: (counts.byteCount + 7) / 8) { _ in counts }
        // Unsafe: the elements have room for one entry per block and all weights behind them. Each entry owns a
        // reference, which deinit releases.
        unsafe buffer.withUnsafeMutablePointerToElements { elements in
            let base = UnsafeMutableRawPointer(elements)
            for (part, start) in zip(parts, starts) {
                var next = unsafe base + Int(start.blockCount) * MemoryLayout<RecordListEntry>.stride
                let weights = unsafe base + counts.weightOffset + Int(start.weightCount) * MemoryLayout<UInt32>.stride
                switch part {
                case .made(let block):
                    let entry = unsafe RecordListEntry(block: Unmanaged.passRetained(block), start)
                    unsafe next.initializeMemory(as: RecordListEntry.self, to: entry)
                    unsafe weights.copy(block.view.weights)
                case .kept(let range):
                    guard let old = old?.view else { continue }
                    let before = old.counts(before: range.lowerBound)
                    for number in range {
                        let entry = RecordListEntry(old.entry(number), movedFrom: before, to: start)
                        unsafe next.initializeMemory(as: RecordListEntry.self, to: entry)
                        unsafe next += MemoryLayout<RecordListEntry>.stride
                    }
                    if counts.weightCount > 0 {
                        let end = old.counts(before: range.upperBound).count
                        unsafe weights.copy(old.weights.extracting(Int(before.count)..<Int(end)))
                    }
                }
            }
        }
        return unsafe unsafeDowncast(buffer, to: RecordList.self)
    }

    deinit {
        // Unsafe: each entry owns a reference.
        unsafe withUnsafeMutablePointers { parts, elements in
            let entries = unsafe UnsafeRawPointer(elements).assumingMemoryBound(to: RecordListEntry.self)
            for index in unsafe 0..<Int(parts.pointee.blockCount) { unsafe entries[index].block.release() }
        }
    }

    /// A view of its contents.
    var view: RecordListView {
        @inline(__always)
        get {
            unsafe withUnsafeMutablePointers {
                unsafe RecordListView(parts: $0, elements: UnsafeRawPointer($1))
            }
        }
    }

    /// Whether all records and their rotation weights equal those of `other`. Shared blocks are not compared.
    func hasSameRecords(as other: RecordList) -> Bool {
        let (mine, theirs) = (blocks, other.blocks)
        return mine.count == theirs.count
            && zip(mine, theirs).allSatisfy { $0 === $1 || $0.view.hasSameRecords(as: $1.view) }
    }

    /// Its blocks.
    var blocks: [RecordBlock] {
        (0..<Int(view.parts.blockCount)).map { unsafe view.entry($0).block.takeUnretainedValue() }
    }
}

/// The sizes in a list's memory: one entry per block, then all weights.
struct RecordListParts {
    var blockCount: UInt32
    /// The number of records; 1 or more.
    var count: UInt32
    /// The same number if answers are weighted; otherwise 0.
    var weightCount: UInt32
    /// The octets of the records for the ANSWER section.
    var answerByteCount: UInt32
    /// The octets of the records for the ADDITIONAL section.
    var additionalByteCount: UInt32
    /// The TTL of all records.
    var ttl: UInt32
    /// The divisor of SRV records' weights.
    var weightDivisor: UInt16

    var weightOffset: Int { Int(blockCount) &* MemoryLayout<RecordListEntry>.stride }
    var byteCount: Int { weightOffset &+ Int(weightCount) &* MemoryLayout<UInt32>.stride }

    /// Adds a block's counts.
    mutating func add(_ block: RecordBlockParts) {
        blockCount += 1
        count += block.count
        weightCount += block.weightCount
        answerByteCount += block.answerByteCount
        additionalByteCount += block.additionalByteCount
    }

    /// Adds the counts of the blocks between two places of another list.
    mutating func add(from start: RecordListParts, to end: RecordListParts) {
        blockCount += end.blockCount - start.blockCount
        count += end.count - start.count
        weightCount += end.weightCount - start.weightCount
        answerByteCount += end.answerByteCount - start.answerByteCount
        additionalByteCount += end.additionalByteCount - start.additionalByteCount
    }
}

/// One block of a list.
@safe
struct RecordListEntry {
    // Unmanaged, but owned by the list. Reading a class reference for a query would change its count twice.
    fileprivate let block: Unmanaged<RecordBlock>
    /// The number of records in the blocks before it.
    let firstRecord: UInt32
    /// The octets of these records.
    let answerOffset: UInt32
    /// The octets of these blocks' records in ADDITIONAL.
    let additionalOffset: UInt32

    /// Takes over a reference.
    fileprivate init(block: Unmanaged<RecordBlock>, _ before: RecordListParts) {
        unsafe self.block = unsafe block
        firstRecord = before.count
        answerOffset = before.answerByteCount
        additionalOffset = before.additionalByteCount
    }

    /// The entry of another list at its new place, with a reference of its own.
    fileprivate init(_ other: RecordListEntry, movedFrom old: RecordListParts, to new: RecordListParts) {
        unsafe block = other.block.retain()
        firstRecord = other.firstRecord - old.count + new.count
        answerOffset = other.answerOffset - old.answerByteCount + new.answerByteCount
        additionalOffset = other.additionalOffset - old.additionalByteCount + new.additionalByteCount
    }

    /// A view of its block.
    var view: RecordBlockView {
        @inline(__always)
        get { unsafe block._withUnsafeGuaranteedRef { $0.view } }
    }
}

/// A view of a list's contents.
@safe
struct RecordListView: @unchecked Sendable {
    // Sendable: the memory is never written while a view of it exists.
    private let counts: UnsafePointer<RecordListParts>
    private let elements: UnsafeRawPointer

    fileprivate init(parts: UnsafePointer<RecordListParts>, elements: UnsafeRawPointer) {
        unsafe counts = parts
        unsafe self.elements = elements
    }

    var parts: RecordListParts { unsafe counts.pointee }

    /// The entry of one block, 0..<`parts.blockCount`.
    func entry(_ index: Int) -> RecordListEntry {
        precondition(index >= 0 && index < Int(parts.blockCount))
        // Unsafe: there are as many entries.
        return unsafe elements.assumingMemoryBound(to: RecordListEntry.self)[index]
    }

    /// The sums of the blocks before one; for the index behind the last, those of all.
    func counts(before number: Int) -> RecordListParts {
        var counts = parts
        guard number < Int(counts.blockCount) else { return counts }
        let entry = entry(number)
        counts.blockCount = UInt32(number)
        counts.count = entry.firstRecord
        counts.weightCount = min(counts.weightCount, entry.firstRecord)
        counts.answerByteCount = entry.answerOffset
        counts.additionalByteCount = entry.additionalOffset
        return counts
    }

    /// The rotation weights of all records; empty unless its strategy goes by them.
    var weights: Span<UInt32> {
        @_lifetime(borrow self)
        get {
            // Unsafe: the memory was filled with as many weights, and lives longer than the view.
            let typed = unsafe (elements + parts.weightOffset).assumingMemoryBound(to: UInt32.self)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: Int(parts.weightCount)), borrowing: self)
        }
    }

    /// The block that has the record with that sequence number, or would have it.
    func block(forSequence sequence: UInt64) -> Int {
        lastBlock { $0.view.sequences[0] <= sequence }
    }

    /// The block that has the record with that index.
    func block(ofRecord index: Int) -> Int {
        lastBlock { Int($0.firstRecord) <= index }
    }

    /// The last block for which `isSuch` holds, or the first one. Blocks for which it holds come before all others.
    @inline(__always)
    private func lastBlock(where isSuch: (RecordListEntry) -> Bool) -> Int {
        var low = 0
        var high = Int(parts.blockCount)
        while low &+ 1 < high {
            let middle = (low &+ high) / 2
            if isSuch(entry(middle)) { low = middle } else { high = middle }
        }
        return low
    }
}

extension UnsafeMutableRawPointer {
    /// Copies weights to this memory. Unsafe: there must be room for them.
    fileprivate func copy(_ weights: Span<UInt32>) {
        unsafe weights.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { unsafe copyMemory(from: source, byteCount: bytes.count) }
        }
    }
}
