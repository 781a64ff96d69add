/// Builds one zone, change by change. Used by one thread at a time, never by a worker.
struct ZoneBuilder {
    /// The last zone built.
    private(set) var zone: Zone
    private let configuration: ZoneConfiguration
    /// That of names that have none of their own.
    private let strategy: RotationStrategyName
    private var packer: RRsetPacker
    private var nameServer: PackingRRset
    private var serial: UInt32 = 0
    /// How many names exist directly below a name; not counted for the apex.
    private var childCounts: [[UInt8]: Int] = [:]

    /// A zone with only its own records: the apex and `ns`.
    ///
    /// - Throws: ``EngineError/invalidConfiguration(_:)`` if the origin is not a name or longer than 127 octets.
    init(
        _ configuration: ZoneConfiguration, strategy: RotationStrategyName, cells: inout CellAllocator
    ) throws(EngineError) {
        let origin = try Self.wireOrigin(configuration.origin)
        guard (1...86400).contains(configuration.ttl), (1...86400).contains(configuration.negativeTTL),
            (1...604_800).contains(configuration.addressTTL)
        else {
            throw .invalidConfiguration("TTLs of the zone must be 1–86,400 seconds, of addresses 1–604,800")
        }
        self.configuration = configuration
        self.strategy = strategy
        let server = try configuration.server.map { name throws(EngineError) in try Self.wireOrigin(name) } ?? origin
        packer = try RRsetPacker(
            origin: origin, server: server, addressTTL: configuration.addressTTL, targets: configuration.serviceTargets)
        nameServer = PackingRRset(type: .ns, record: try packer.packNameServer(ttl: configuration.ttl))
        let negativeSOA = try packer.packNegativeSOA(ttl: 1, serial: 0, minimum: configuration.negativeTTL)
        zone = Zone(
            fixed: packer.packConstants(), apex: .empty, negativeSOA: negativeSOA, root: .empty)
        var own: [NameChange] = []
        if configuration.server == nil {
            let addresses = nameServerAddresses()
            // RFC 1035 §3.3.11: they are in ADDITIONAL of an answer with the NS record.
            for rrset in addresses {
                nameServer.additional += try packer.pack(rrset, strategy: strategy, name: "ns").answer
            }
            own.append(NameChange(name: "ns", content: .records(addresses)))
        }
        commit(try prepare(own, serial: 0), &cells)
    }

    private static func wireOrigin(_ text: String) throws(EngineError) -> [UInt8] {
        guard let origin = RecordPacker.wireName(text), (2...127).contains(origin.count) else {
            throw .invalidConfiguration("'\(text)' is not a domain name of at most 127 octets")
        }
        return origin
    }

    private func nameServerAddresses() -> [RRset] {
        [RecordType.a, .aaaa].compactMap { type in
            var seen: Set<IPAddress> = []
            let records = configuration.nameServerAddresses
                .filter { $0.recordType == type && seen.insert($0).inserted }
                .map { Record(.address($0)) }
            return records.isEmpty ? nil : RRset(type: type, ttl: configuration.ttl, records: records)
        }
    }

    /// Changes that are ready: nothing can fail any more.
    struct Prepared {
        fileprivate var entries: [(name: [UInt8], entry: Edit.Entry?)]
        fileprivate var authority: Authority?
        /// The number of rotation cells that the new records take.
        var cellCount: Int
    }

    /// Whether a name belongs to the zone itself, so that nobody else may change it.
    func isReserved(_ name: String) -> Bool {
        configuration.server == nil && (name == "ns" || name == "addr" || name.hasSuffix(".addr"))
    }

    /// Packs changes. If this throws, nothing has changed.
    ///
    /// - Parameter serial: the zone's serial from now on.
    mutating func prepare(_ changes: [NameChange], serial: UInt32) throws(EngineError) -> Prepared {
        var packed: [(name: [UInt8], entry: Edit.Entry?)] = []
        packed.reserveCapacity(changes.count)
        // The present content of names that are changed in part.
        var current: [[UInt8]: Edit.Entry?] = [:]
        var lists = RecordListCache()
        let hasPartialChanges = changes.contains { $0.content.isPartial }
        for change in changes {
            let name = try wireName(change.name)
            let before = change.content.isPartial ? current[name] ?? entry(of: name) : nil
            let entry = try pack(change, before: before, &lists)
            packed.append((name, entry))
            if hasPartialChanges { current[name] = .some(entry) }
        }
        let cellCount = packed.reduce(0) { sum, change in
            sum + (change.entry?.rrsets.reduce(0) { $0 + $1.cellCount } ?? 0)
        }
        return Prepared(entries: packed, authority: try authority(serial: serial), cellCount: cellCount)
    }

    /// Applies the changes that were prepared last.
    mutating func commit(_ prepared: Prepared, _ cells: inout CellAllocator) {
        var edit = Edit()
        for (name, entry) in prepared.entries { change(name, to: entry, in: &edit) }
        let root = zone.root.replacing(rebuildShards(edit, &cells))
        serial = prepared.authority?.serial ?? serial
        zone = Zone(
            fixed: zone.fixed, apex: prepared.authority?.apex ?? zone.apex,
            negativeSOA: prepared.authority?.negativeSOA ?? zone.negativeSOA, root: root)
    }

    /// The parts that change with every serial.
    fileprivate struct Authority {
        var serial: UInt32
        var apex: ZoneShard
        var negativeSOA: NegativeSOA
    }

    /// - Returns: `nil` if the serial is unchanged.
    private func authority(serial: UInt32) throws(EngineError) -> Authority? {
        if serial == self.serial, !zone.apex.view.names.isEmpty { return nil }
        let soa = try packer.packStartOfAuthority(
            ttl: configuration.ttl, serial: serial, minimum: configuration.negativeTTL)
        var apex = ShardBuilder()
        apex.add(
            [], hash: 0, kind: .records,
            rrsets: [
                PackingRRset(type: .soa, record: soa), nameServer,
            ])
        // RFC 2308 §3: the TTL of a negative answer is the lower of the SOA's own and its MINIMUM.
        let negativeSOA = try packer.packNegativeSOA(
            ttl: min(configuration.ttl, configuration.negativeTTL), serial: serial, minimum: configuration.negativeTTL)
        return Authority(serial: serial, apex: apex.build(), negativeSOA: negativeSOA)
    }

    /// A name's labels above the origin, in wire form.
    private func wireName(_ text: String) throws(EngineError) -> [UInt8] {
        // Each name has one spelling: "NS" or "ns." would escape the check for the zone's own names.
        let isCanonical = text.last != "." && !text.utf8.contains { $0 &- UInt8(ascii: "A") < 26 }
        guard isCanonical, let absolute = RecordPacker.wireName(text), absolute.count > 1,
            absolute.count - 1 + zone.fixed.origin.view.byteCount <= DomainName.maximumByteCount
        else { throw .invalidName(text) }
        return [UInt8](absolute.dropLast())
    }

    /// The entry that a change gives its name; `nil`: none.
    ///
    /// - Parameter before: the name's previous entry, if only a part of it changes.
    private mutating func pack(_ change: NameChange, before: Edit.Entry?, _ lists: inout RecordListCache)
        throws(EngineError) -> Edit.Entry?
    {
        let strategy = change.strategy ?? strategy
        switch change.content {
        case .absent: return nil
        case .failure: return Edit.Entry(kind: .failure, rrsets: [])
        case .records(let rrsets):
            guard Set(rrsets.map(\.type)).count == rrsets.count else {
                throw .invalidRecords(name: change.name)
            }
            var packed: [PackingRRset] = []
            for rrset in rrsets {
                var each = try packer.pack(rrset, strategy: strategy, name: change.name)
                each.isStale = change.isStale
                packed.append(each)
            }
            return Edit.Entry(kind: .records, rrsets: packed)
        case .changed(let changes):
            guard Set(changes.map(\.type)).count == changes.count else {
                throw .invalidRecords(name: change.name)
            }
            var rrsets = before?.rrsets ?? []
            for each in changes {
                let index = rrsets.firstIndex { $0.type == each.type }
                // Records have weights or not, depending on the strategy: with another one all are made again.
                guard each.isWhole || index.map({ rrsets[$0].strategy == strategy }) ?? true else {
                    throw .invalidRecords(name: change.name)
                }
                let list = try lists.list(
                    after: each, of: index.flatMap { rrsets[$0].list }, strategy: strategy, packer: packer,
                    name: change.name)
                var changed = list.map { PackingRRset(type: each.type, list: $0, strategy: strategy) }
                changed?.isStale = change.isStale
                if let index {
                    rrsets.replaceSubrange(index...index, with: changed.map { [$0] } ?? [])
                } else if let changed {
                    rrsets.append(changed)
                }
            }
            return Edit.Entry(kind: .records, rrsets: rrsets)
        }
    }

    /// The entry of a name in the present zone; `nil`: none.
    private func entry(of name: [UInt8]) -> Edit.Entry? {
        let hash = NameHash.hash(name.rawSpan)
        let shard = zone.root.shard(for: hash).view
        guard let index = shard.index(of: name.rawSpan, hash: hash) else { return nil }
        let entry = shard.names[index]
        guard entry.kind != .emptyNonTerminal else { return nil }
        return Edit.Entry(kind: entry.kind, rrsets: shard.rrsets(of: entry).map { PackingRRset($0, in: shard) })
    }

    // MARK: Names

    /// The names that an update changes, until their shards are built.
    fileprivate struct Edit {
        /// The new content of a name.
        struct Entry {
            var kind: NameEntry.Kind
            var rrsets: [PackingRRset]
        }

        /// By relative wire name; `nil`: the name is removed.
        var entries: [[UInt8]: Entry?] = [:]
    }

    private mutating func change(_ name: [UInt8], to content: Edit.Entry?, in edit: inout Edit) {
        let existed = exists(name, in: edit)
        let hasChildren = childCounts[name] != nil
        let entry = content ?? (hasChildren ? Edit.Entry(kind: .emptyNonTerminal, rrsets: []) : nil)
        edit.entries[name] = .some(entry)
        if existed != (entry != nil) { countChild(of: name, by: existed ? -1 : 1, in: &edit) }
    }

    private func exists(_ name: [UInt8], in edit: Edit) -> Bool {
        if let entry = edit.entries[name] { return entry != nil }
        return find(name) != nil
    }

    private func find(_ name: [UInt8]) -> NameEntry? {
        let hash = NameHash.hash(name.rawSpan)
        let shard = zone.root.shard(for: hash).view
        return shard.index(of: name.rawSpan, hash: hash).map { shard.names[$0] }
    }

    /// A name also exists while there are names below it (RFC 8020 §2): it appears and disappears with them.
    private mutating func countChild(of name: [UInt8], by difference: Int, in edit: inout Edit) {
        let parent = [UInt8](name.dropFirst(1 + Int(name[0])))
        guard !parent.isEmpty else { return }
        let count = childCounts[parent, default: 0] + difference
        childCounts[parent] = count == 0 ? nil : count
        if difference > 0, !exists(parent, in: edit) {
            edit.entries[parent] = .some(Edit.Entry(kind: .emptyNonTerminal, rrsets: []))
            countChild(of: parent, by: 1, in: &edit)
        } else if count == 0, isEmptyNonTerminal(parent, in: edit) {
            edit.entries[parent] = .some(nil)
            countChild(of: parent, by: -1, in: &edit)
        }
    }

    private func isEmptyNonTerminal(_ name: [UInt8], in edit: Edit) -> Bool {
        if let entry = edit.entries[name] { return entry?.kind == .emptyNonTerminal }
        return find(name)?.kind == .emptyNonTerminal
    }

    // MARK: Shards

    private mutating func rebuildShards(_ edit: Edit, _ cells: inout CellAllocator) -> [(slot: Int, shard: ZoneShard)] {
        var names: [Int: [[UInt8]]] = [:]
        for name in edit.entries.keys {
            names[ShardSlot(NameHash.hash(name.rawSpan)).number, default: []].append(name)
        }
        var shards: [(slot: Int, shard: ZoneShard)] = []
        for (slot, names) in names { shards.append((slot, rebuild(names, of: edit, &cells))) }
        return shards.sorted { $0.slot < $1.slot }
    }

    /// A shard in which `names` are as in `edit`, and everything else is unchanged.
    private func rebuild(_ names: [[UInt8]], of edit: Edit, _ cells: inout CellAllocator) -> ZoneShard {
        let first = names[0]
        let old = zone.root.shard(for: NameHash.hash(first.rawSpan)).view
        var builder = ShardBuilder(old, without: names)
        for name in names {
            let hash = NameHash.hash(name.rawSpan)
            let previous = old.index(of: name.rawSpan, hash: hash).map { old.names[$0] }
            var previousRRsets = previous.map { old.rrsets(of: $0) } ?? []
            if let entry = edit.entries[name] ?? nil {
                var rrsets = entry.rrsets
                for index in rrsets.indices {
                    let kept = previousRRsets.firstIndex { keepsCells($0, rrsets[index], in: old) }
                    if let kept {
                        let previous = previousRRsets.remove(at: kept)
                        rrsets[index].cells = .init(first: previous.firstCell, stamp: previous.stamp)
                    } else {
                        rrsets[index].cells = cells.allocate(
                            rrsets[index].strategy.cellCount(records: rrsets[index].count))
                    }
                }
                builder.add(name, hash: hash, kind: entry.kind, rrsets: rrsets)
            }
            for gone in previousRRsets {
                cells.release(first: gone.firstCell, size: gone.strategy.cellCount(records: Int(gone.count)))
            }
        }
        return builder.build()
    }

    /// Whether an RRset continues the rotation of the previous one.
    ///
    /// Its position among the records can always continue. What each record has gained by its weight can continue only
    /// if the records and their weights are the same.
    private func keepsCells(_ old: PackedRRset, _ new: PackingRRset, in shard: ShardView) -> Bool {
        guard old.type == new.type, old.strategy == new.strategy else { return false }
        guard new.strategy.usesWeights else { return true }
        if let oldList = shard.ownedList(of: old), let newList = new.list { return newList.hasSameRecords(as: oldList) }
        let start = Int(old.answerOffset)
        guard Int(old.count) == new.count, old.list == 0, new.list == nil,
            shard.octets.extracting(start..<(start + Int(old.answerByteCount))).hasSameOctets(
                as: new.answer.rawSpan)
        else { return false }
        return new.weights.indices.allSatisfy {
            shard.weights[Int(old.firstWeight) + $0] == new.weights[$0]
        }
    }
}

extension PackingRRset {
    /// The number of cells that it takes.
    fileprivate var cellCount: Int { CellAllocator.roundedSize(strategy.cellCount(records: count)) }
}

extension NameContent {
    /// Whether it gives only changes rather than the whole content.
    fileprivate var isPartial: Bool {
        if case .changed = self { true } else { false }
    }
}

extension ShardView {
    /// The RRsets of an entry.
    func rrsets(of entry: NameEntry) -> [PackedRRset] {
        (0..<Int(entry.rrsetCount)).map { rrsets[Int(entry.firstRRset) + $0] }
    }
}
