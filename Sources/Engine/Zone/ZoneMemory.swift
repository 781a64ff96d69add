import CEvent

// The memory of snapshots. Owners are classes; workers read views for queries: plain pointers, copied without touching
// a reference count. A view is valid as long as its owner, and a worker holds the snapshot that owns everything it
// reads.

/// Octets that never change, and their owner.
@safe
final class PackedOctets: Sendable {
    let view: OctetsView

    init(_ octets: [UInt8]) {
        // Unsafe: allocated here, written once, freed in deinit.
        let block = UnsafeMutablePointer<UInt8>.allocate(capacity: max(octets.count, 1))
        unsafe block.initialize(repeating: 0, count: max(octets.count, 1))
        for (index, octet) in octets.enumerated() { unsafe block[index] = octet }
        view = unsafe OctetsView(start: UnsafeRawPointer(block), byteCount: octets.count)
    }

    deinit {
        unsafe UnsafeMutableRawPointer(mutating: view.start).deallocate()
    }
}

/// A view of octets that another object owns.
@safe
struct OctetsView: @unchecked Sendable {
    // Sendable: the memory is never written while a view of it exists.
    fileprivate let start: UnsafeRawPointer
    let byteCount: Int

    fileprivate init(start: UnsafeRawPointer, byteCount: Int) {
        unsafe self.start = start
        self.byteCount = byteCount
    }

    var span: RawSpan {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            unsafe _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: byteCount), borrowing: self)
        }
    }
}

/// A few dozen names of the zone, packed. Immutable: a change makes a new shard.
///
/// It is one piece of memory: the object's head, the counts, then the parts. Finding a name in a small zone touches few
/// cache lines, which are next to each other.
@safe
final class ZoneShard: ManagedBuffer<ShardParts, UInt64> {
    /// Copies the parts into a new shard.
    static func make(
        names: [NameEntry] = [], lists: [RecordList] = [], rrsets: [PackedRRset] = [], services: [ServiceSlot] = [],
        weights: [UInt32] = [],
        octets: [UInt8] = []
    ) -> ZoneShard {
        let parts = ShardParts(
            nameCount: UInt32(names.count), listCount: UInt32(lists.count), rrsetCount: UInt32(rrsets.count),
            serviceCount: UInt32(services.count),
            weightCount: UInt32(weights.count), octetCount: UInt32(octets.count))
        let words = (parts.byteCount + 7) / 8
        let buffer = create(minimumCapacity: words) { _ in parts }
        // Unsafe: the elements have room for all parts in sequence. All but the lists are trivial types, so nothing
        // else needs to be destroyed.
        unsafe buffer.withUnsafeMutablePointerToElements { elements in
            var next = UnsafeMutableRawPointer(elements)
            unsafe next.place(names)
            // Each of these owns a reference, which deinit releases.
            for list in lists {
                unsafe next.initializeMemory(as: Unmanaged<RecordList>.self, to: Unmanaged.passRetained(list))
                unsafe next += MemoryLayout<UInt>.stride
            }
            unsafe next.place(rrsets)
            unsafe next.place(services)
            unsafe next.place(weights)
            unsafe next.place(octets)
        }
        return unsafe unsafeDowncast(buffer, to: ZoneShard.self)
    }

    deinit {
        // Unsafe: each of the lists owns a reference.
        unsafe withUnsafeMutablePointers { parts, elements in
            let start = unsafe UnsafeRawPointer(elements) + parts.pointee.listOffset
            let lists = unsafe start.assumingMemoryBound(to: Unmanaged<RecordList>.self)
            for index in unsafe 0..<Int(parts.pointee.listCount) { unsafe lists[index].release() }
        }
    }

    /// A view of its contents.
    var view: ShardView {
        @inline(__always)
        get {
            unsafe withUnsafeMutablePointers {
                unsafe ShardView(parts: $0, elements: UnsafeRawPointer($1))
            }
        }
    }

    /// A shard without names.
    static var empty: ZoneShard { make() }
}

extension UnsafeMutableRawPointer {
    /// Copies `part` to this place and moves behind it. Unsafe: there must be room for it.
    mutating func place<Part: BitwiseCopyable>(_ part: [Part]) {
        unsafe part.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { unsafe copyMemory(from: source, byteCount: bytes.count) }
            unsafe self += bytes.count
        }
    }
}

/// The sizes of a shard's parts; the parts follow each other in this order.
struct ShardParts {
    var nameCount: UInt32
    var listCount: UInt32
    var rrsetCount: UInt32
    var serviceCount: UInt32
    var weightCount: UInt32
    var octetCount: UInt32

    // Every part's stride is a multiple of the alignment of the part behind it.
    var listOffset: Int { Int(nameCount) &* MemoryLayout<NameEntry>.stride }
    var rrsetOffset: Int { listOffset &+ Int(listCount) &* MemoryLayout<UInt>.stride }
    var serviceOffset: Int { rrsetOffset &+ Int(rrsetCount) &* MemoryLayout<PackedRRset>.stride }
    var weightOffset: Int { serviceOffset &+ Int(serviceCount) &* MemoryLayout<ServiceSlot>.stride }
    var octetOffset: Int { weightOffset &+ Int(weightCount) &* MemoryLayout<UInt32>.stride }
    var byteCount: Int { octetOffset &+ Int(octetCount) }
}

/// A view of a shard's contents. All references are indices or offsets into the flat parts, so a shard can be copied as
/// octets.
@safe
struct ShardView: @unchecked Sendable {
    // Sendable: the memory is never written while a view of it exists.
    private let parts: UnsafePointer<ShardParts>
    private let elements: UnsafeRawPointer

    fileprivate init(parts: UnsafePointer<ShardParts>, elements: UnsafeRawPointer) {
        unsafe self.parts = parts
        unsafe self.elements = elements
    }

    /// The number of cache lines, of 64 octets, that a lookup touches in a shard of one name.
    private static var prefetchedLines: Int { 6 }

    /// Prefetches the memory without waiting for it.
    @inline(__always)
    func prefetch() {
        // Unsafe: prefetching reads nothing, so it may go beyond the end.
        for line in 0..<Self.prefetchedLines { unsafe prefetch_line(UnsafeRawPointer(parts) + 64 &* line) }
    }

    // Unsafe in all of these: the memory was filled with as many values of that type, and lives longer than the view.

    /// The names, in no order.
    var names: Span<NameEntry> {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            let typed = unsafe elements.assumingMemoryBound(to: NameEntry.self)
            let count = unsafe Int(parts.pointee.nameCount)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: count), borrowing: self)
        }
    }

    /// The RRsets of all names; those of one name follow each other.
    var rrsets: Span<PackedRRset> {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            let typed = unsafe (elements + parts.pointee.rrsetOffset).assumingMemoryBound(
                to: PackedRRset.self)
            let count = unsafe Int(parts.pointee.rrsetCount)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: count), borrowing: self)
        }
    }

    /// The places of the records of SRV RRsets.
    var services: Span<ServiceSlot> {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            let typed = unsafe (elements + parts.pointee.serviceOffset).assumingMemoryBound(
                to: ServiceSlot.self)
            let count = unsafe Int(parts.pointee.serviceCount)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: count), borrowing: self)
        }
    }

    /// The rotation weights of all records, indexed from `PackedRRset.firstWeight`; only RRsets whose strategy goes by
    /// them have any.
    var weights: Span<UInt32> {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            let typed = unsafe (elements + parts.pointee.weightOffset).assumingMemoryBound(
                to: UInt32.self)
            let count = unsafe Int(parts.pointee.weightCount)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: count), borrowing: self)
        }
    }

    /// The list of an RRset with many records; `nil` if they are in the shard itself.
    @inline(__always)
    func list(of rrset: PackedRRset) -> RecordListView? {
        unsafe owner(of: rrset)?._withUnsafeGuaranteedRef { $0.view }
    }

    /// The same list as an owner. This counts a reference.
    func ownedList(of rrset: PackedRRset) -> RecordList? {
        unsafe owner(of: rrset)?.takeUnretainedValue()
    }

    @inline(__always)
    private func owner(of rrset: PackedRRset) -> Unmanaged<RecordList>? {
        guard rrset.list > 0 else { return nil }
        let count = unsafe parts.pointee.listCount
        precondition(rrset.list <= count)
        let lists = unsafe (elements + parts.pointee.listOffset).assumingMemoryBound(to: Unmanaged<RecordList>.self)
        return unsafe lists[Int(rrset.list) - 1]
    }

    /// Names and packed records.
    var octets: RawSpan {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            let start = unsafe elements + parts.pointee.octetOffset
            let count = unsafe Int(parts.pointee.octetCount)
            return unsafe _overrideLifetime(
                RawSpan(_unsafeStart: start, byteCount: count), borrowing: self)
        }
    }

    /// The place of the RRset of this type among a name's; `nil`: it has none.
    @inline(__always)
    func rrset(_ type: RecordType, of entry: NameEntry) -> Int? {
        let rrsets = rrsets
        let first = Int(entry.firstRRset)
        for place in first..<(first &+ Int(entry.rrsetCount)) where rrsets[place].type == type { return place }
        return nil
    }

    /// The index of `name`'s entry, or `nil` if it is not here.
    ///
    /// - Parameters:
    ///   - name: the labels above the zone's origin, in any case.
    ///   - hash: its ``NameHash``.
    @inline(__always)
    func index(of name: RawSpan, hash: UInt64) -> Int? {
        let entries = names
        for index in entries.indices {
            let entry = entries[index]
            guard entry.hash == hash, Int(entry.nameByteCount) == name.byteCount else { continue }
            let start = Int(entry.nameOffset)
            if name.isName(octets.extracting(start..<(start &+ name.byteCount))) {
                return index
            }
        }
        return nil
    }
}

/// The octets in front of the properties of an object: its type and its count of references.
private let objectHeadBytes = 2 * MemoryLayout<UInt>.size

/// A node in the tree of shards: it owns 32 objects of the level below.
@safe
final class ZoneNode<Child: AnyObject>: @unchecked Sendable {
    // Sendable: neither this node nor any shard below it is written after it has been made.

    /// The number of children of a node.
    static var fanOut: Int { 32 }

    // Unmanaged, but owned: one reference each, taken in init and released in deinit. Reading a class reference for a
    // query would change its count twice.
    private let children: [32 of Unmanaged<Child>]

    /// A node with `child` at all its places.
    init(repeating child: Child) {
        unsafe children = unsafe InlineArray { _ in unsafe Unmanaged.passRetained(child) }
    }

    /// A copy of `other` with some children replaced.
    ///
    /// - Parameter replacements: by place, 0..<32.
    init(_ other: ZoneNode, replacing replacements: [(place: Int, child: Child)]) {
        var children = unsafe other.children
        for (place, child) in replacements {
            unsafe children[place] = unsafe Unmanaged.passUnretained(child)
        }
        for place in 0..<Self.fanOut { _ = unsafe children[place].retain() }
        unsafe self.children = unsafe children
    }

    deinit {
        for place in 0..<Self.fanOut { unsafe children[place].release() }
    }

    /// Passes one child to `body`, which must not keep it.
    @inline(__always)
    func withChild<Result>(_ place: Int, _ body: (Child) -> Result) -> Result {
        unsafe children[place & 31]._withUnsafeGuaranteedRef(body)
    }

    /// Prefetches the reference to one child without waiting for it.
    @inline(__always)
    func prefetchReference(_ place: Int) {
        // Unsafe: prefetching reads nothing. The references lie behind the object's head.
        let start = unsafe Unmanaged.passUnretained(self).toOpaque() + objectHeadBytes
        unsafe prefetch_line(start + (place & 31) &* MemoryLayout<Unmanaged<Child>>.stride)
    }

    /// One child.
    func child(_ place: Int) -> Child {
        unsafe children[place & 31].takeUnretainedValue()
    }
}

/// The lowest level of the tree of shards.
typealias ZoneTwig = ZoneNode<ZoneShard>
/// The middle level of the tree of shards.
typealias ZoneBranch = ZoneNode<ZoneTwig>
/// The top level of the tree of shards.
typealias ZoneRoot = ZoneNode<ZoneBranch>

extension ZoneRoot {
    /// A tree without names.
    static let empty = ZoneRoot(
        repeating: ZoneBranch(repeating: ZoneTwig(repeating: ZoneShard.empty)))

    /// A view of the shard for names with this hash.
    @inline(__always)
    func view(for hash: UInt64) -> ShardView {
        let slot = ShardSlot(hash)
        return withChild(slot.branch) {
            $0.withChild(slot.twig) { $0.withChild(slot.shard) { $0.view } }
        }
    }

    /// Prefetches the reference to that shard. There are a thousand nodes that have such references; the nodes above
    /// are few, and in the processor's cache.
    @inline(__always)
    func prefetchReference(for hash: UInt64) {
        let slot = ShardSlot(hash)
        withChild(slot.branch) { $0.withChild(slot.twig) { $0.prefetchReference(slot.shard) } }
    }

    /// The shard for names with this hash.
    func shard(for hash: UInt64) -> ZoneShard {
        let slot = ShardSlot(hash)
        return child(slot.branch).child(slot.twig).child(slot.shard)
    }

    /// The same tree with some shards replaced; `replacements` is sorted by slot.
    func replacing(_ replacements: [(slot: Int, shard: ZoneShard)]) -> ZoneRoot {
        let twigs = replacements.grouped { $0.slot >> 5 }.map { number, shards in
            let old = child(number >> 5).child(number & 31)
            return (
                number: number, twig: ZoneTwig(old, replacing: shards.map { ($0.slot & 31, $0.shard) })
            )
        }
        let branches = twigs.grouped { $0.number >> 5 }.map { number, twigs in
            (
                place: number,
                child: ZoneBranch(child(number), replacing: twigs.map { ($0.number & 31, $0.twig) })
            )
        }
        return ZoneRoot(self, replacing: branches)
    }
}

extension Array {
    /// Runs of elements with the same key.
    fileprivate func grouped(by key: (Element) -> Int) -> [(key: Int, elements: ArraySlice<Element>)] {
        var groups: [(key: Int, elements: ArraySlice<Element>)] = []
        var rest = self[...]
        while let first = rest.first {
            let group = rest.prefix { key($0) == key(first) }
            groups.append((key(first), group))
            rest = rest.dropFirst(group.count)
        }
        return groups
    }
}

/// A view of a tree of shards that another object owns: reading it counts no reference.
@safe
struct ZoneRootView: @unchecked Sendable {
    // Sendable: neither the tree nor any shard in it is written after it has been made.
    private let root: Unmanaged<ZoneRoot>

    init(_ root: ZoneRoot) {
        // Unsafe: a worker holds the snapshot that owns the tree for as long as it has the view.
        unsafe self.root = unsafe Unmanaged.passUnretained(root)
    }

    /// A view of the shard for names with this hash.
    @inline(__always)
    func view(for hash: UInt64) -> ShardView {
        unsafe root._withUnsafeGuaranteedRef { $0.view(for: hash) }
    }

    /// Prefetches the reference to that shard: the first step, some queries before ``prefetchShard(for:)``.
    @inline(__always)
    func prefetchReference(for hash: UInt64) {
        unsafe root._withUnsafeGuaranteedRef { $0.prefetchReference(for: hash) }
    }

    /// Prefetches the beginning of that shard, with its names and first records: the second step.
    @inline(__always)
    func prefetchShard(for hash: UInt64) {
        view(for: hash).prefetch()
    }
}

/// The place of a hash's shard in the tree.
struct ShardSlot {
    var branch: Int
    var twig: Int
    var shard: Int

    @inline(__always)
    init(_ hash: UInt64) {
        branch = Int(hash >> 10 & 31)
        twig = Int(hash >> 5 & 31)
        shard = Int(hash & 31)
    }

    /// The slot as one number, 0..<32,768.
    var number: Int { branch << 10 | twig << 5 | shard }
}
