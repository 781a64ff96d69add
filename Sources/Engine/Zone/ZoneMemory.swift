// The memory of snapshots. Owners are classes; what a worker reads for a query are views: plain pointers, copied without
// touching a reference count. A view is good as long as its owner, and a worker holds the snapshot that owns all
// that it reads.

/// Octets that never change, with their owner.
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

/// Octets that somebody else owns.
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
        get { unsafe _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: byteCount), borrowing: self) }
    }
}

/// A few dozen names of the zone, packed: the owner of the memory. Immutable: a change makes a new one.
@safe
final class ZoneShard: Sendable {
    let view: ShardView

    /// Copies the parts into one block.
    init(
        names: [NameEntry] = [], rrsets: [PackedRRset] = [], services: [ServiceSlot] = [], weights: [UInt32] = [],
        octets: [UInt8] = []
    ) {
        let nameBytes = names.count * MemoryLayout<NameEntry>.stride
        let rrsetBytes = rrsets.count * MemoryLayout<PackedRRset>.stride
        let serviceBytes = services.count * MemoryLayout<ServiceSlot>.stride
        let weightBytes = weights.count * MemoryLayout<UInt32>.stride
        // Unsafe: the block has room for all parts; every stride is a multiple of the next part's alignment. Freed in
        // deinit. All parts are trivial types, so that nothing needs to be destroyed.
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: max(nameBytes + rrsetBytes + serviceBytes + weightBytes + octets.count, 1), alignment: 8)
        var next = unsafe block
        func place<Part: BitwiseCopyable>(_ part: [Part], byteCount: Int) -> UnsafeRawPointer {
            let start = unsafe next
            unsafe part.withUnsafeBytes { bytes in
                if let source = bytes.baseAddress { unsafe start.copyMemory(from: source, byteCount: byteCount) }
            }
            unsafe next += byteCount
            return UnsafeRawPointer(start)
        }
        view = unsafe ShardView(
            names: place(names, byteCount: nameBytes), nameCount: names.count,
            rrsets: place(rrsets, byteCount: rrsetBytes), rrsetCount: rrsets.count,
            services: place(services, byteCount: serviceBytes), serviceCount: services.count,
            weights: place(weights, byteCount: weightBytes), weightCount: weights.count,
            octets: place(octets, byteCount: octets.count), octetCount: octets.count)
    }

    deinit {
        unsafe UnsafeMutableRawPointer(mutating: view.start).deallocate()
    }

    /// A shard without names.
    static let empty = ZoneShard()
}

/// What a shard holds. Everything refers by index or offset into the flat parts, so that a shard is copied as octets.
@safe
struct ShardView: @unchecked Sendable {
    // Sendable: the memory is never written while a view of it exists.
    fileprivate let start: UnsafeRawPointer
    private let rrsetStart: UnsafeRawPointer
    private let serviceStart: UnsafeRawPointer
    private let weightStart: UnsafeRawPointer
    private let octetStart: UnsafeRawPointer
    private let nameCount: UInt32
    private let rrsetCount: UInt32
    private let serviceCount: UInt32
    private let weightCount: UInt32
    private let octetCount: UInt32

    fileprivate init(
        names: UnsafeRawPointer, nameCount: Int, rrsets: UnsafeRawPointer, rrsetCount: Int,
        services: UnsafeRawPointer, serviceCount: Int, weights: UnsafeRawPointer, weightCount: Int,
        octets: UnsafeRawPointer, octetCount: Int
    ) {
        unsafe start = names
        unsafe rrsetStart = rrsets
        unsafe serviceStart = services
        unsafe weightStart = weights
        unsafe octetStart = octets
        self.nameCount = UInt32(nameCount)
        self.rrsetCount = UInt32(rrsetCount)
        self.serviceCount = UInt32(serviceCount)
        self.weightCount = UInt32(weightCount)
        self.octetCount = UInt32(octetCount)
    }

    // Unsafe in all of these: the memory was filled with as many values of that type, and lives longer than the view.

    /// The names, in no order.
    var names: Span<NameEntry> {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            let typed = unsafe start.assumingMemoryBound(to: NameEntry.self)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: Int(nameCount)), borrowing: self)
        }
    }

    /// The RRsets of all names; those of one name follow each other.
    var rrsets: Span<PackedRRset> {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            let typed = unsafe rrsetStart.assumingMemoryBound(to: PackedRRset.self)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: Int(rrsetCount)), borrowing: self)
        }
    }

    /// Where the records of the SRV RRsets are.
    var services: Span<ServiceSlot> {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            let typed = unsafe serviceStart.assumingMemoryBound(to: ServiceSlot.self)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: Int(serviceCount)), borrowing: self)
        }
    }

    /// The rotation weights of all records, in step with `PackedRRset.firstWeight`; empty unless answers are weighted.
    var weights: Span<UInt32> {
        @inline(__always)
        @_lifetime(borrow self)
        get {
            let typed = unsafe weightStart.assumingMemoryBound(to: UInt32.self)
            return unsafe _overrideLifetime(Span(_unsafeStart: typed, count: Int(weightCount)), borrowing: self)
        }
    }

    /// Names and packed records.
    var octets: RawSpan {
        @inline(__always)
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(RawSpan(_unsafeStart: octetStart, byteCount: Int(octetCount)), borrowing: self) }
    }

    /// The index of `name`'s entry; `nil` when it is not here.
    ///
    /// - Parameters:
    ///   - name: the labels above the zone's origin, in lower case.
    ///   - hash: its ``NameHash``.
    @inline(__always)
    func index(of name: RawSpan, hash: UInt64) -> Int? {
        let entries = names
        for index in entries.indices {
            let entry = entries[index]
            guard entry.hash == hash, Int(entry.nameByteCount) == name.byteCount else { continue }
            let start = Int(entry.nameOffset)
            if octets.extracting(start..<(start &+ name.byteCount)).hasSameOctets(as: name) { return index }
        }
        return nil
    }
}

/// The bottom of the tree of shards.
@safe
final class ZoneTwig: Sendable {
    let shards: [32 of ZoneShard]
    private let views: [32 of ShardView]

    init(shards: [32 of ZoneShard]) {
        self.shards = shards
        views = InlineArray { shards[$0].view }
    }

    static let empty = ZoneTwig(shards: .init(repeating: ZoneShard.empty))

    @inline(__always)
    func view(_ index: Int) -> ShardView { views[index & 31] }
}

/// The middle of the tree of shards.
@safe
final class ZoneBranch: Sendable {
    let twigs: [32 of ZoneTwig]
    // Unsafe: unowned, but `twigs` owns the very same objects as long as this object lives.
    private let unowned: [32 of Unmanaged<ZoneTwig>]

    init(twigs: [32 of ZoneTwig]) {
        self.twigs = twigs
        unsafe unowned = unsafe InlineArray { unsafe Unmanaged.passUnretained(twigs[$0]) }
    }

    static let empty = ZoneBranch(twigs: .init(repeating: ZoneTwig.empty))

    @inline(__always)
    func view(_ slot: ShardSlot) -> ShardView {
        unsafe unowned[slot.twig & 31]._withUnsafeGuaranteedRef { $0.view(slot.shard) }
    }
}

/// The top of the tree of shards.
@safe
final class ZoneRoot: Sendable {
    let branches: [32 of ZoneBranch]
    // Unsafe: unowned, but `branches` owns the very same objects as long as this object lives.
    private let unowned: [32 of Unmanaged<ZoneBranch>]

    init(branches: [32 of ZoneBranch]) {
        self.branches = branches
        unsafe unowned = unsafe InlineArray { unsafe Unmanaged.passUnretained(branches[$0]) }
    }

    /// A tree without names.
    static let empty = ZoneRoot(branches: .init(repeating: ZoneBranch.empty))

    /// What the shard holds that has names of this hash.
    @inline(__always)
    func view(for hash: UInt64) -> ShardView {
        let slot = ShardSlot(hash)
        return unsafe unowned[slot.branch & 31]._withUnsafeGuaranteedRef { $0.view(slot) }
    }
}

/// Where a hash's shard is in the tree.
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
